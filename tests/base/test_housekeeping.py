from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.keeper import Keeper

from hotshoe.base import housekeeping
from hotshoe.base.threads import ThreadPool


@pytest.fixture(autouse=True)
def no_keepers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_keepers", ())


@pytest.fixture
def keeper(no_keepers: None) -> Keeper:
    keeper = Keeper()
    housekeeping.register(keeper)
    housekeeping.register(keeper)
    return keeper


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    pool = ThreadPool(2, asyncio.get_running_loop())
    yield pool
    pool.close()


async def test_a_thread_stays_idle_no_longer_than_it_may(keeper: Keeper, pool: ThreadPool) -> None:
    keeper.idle_s = 0.0
    await pool.run(lambda: None)
    assert await asyncio.to_thread(keeper.left.wait, 20)
    async with asyncio.timeout(20):
        while pool.count:
            await asyncio.sleep(0.001)


async def test_a_thread_tells_that_it_ends(keeper: Keeper, pool: ThreadPool) -> None:
    await pool.run(lambda: None)
    assert not keeper.left.is_set()
    pool.close()
    assert await asyncio.to_thread(keeper.left.wait, 20)


async def test_what_fails_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    keeper = Keeper(fails=True)
    housekeeping.register(keeper)
    pool = ThreadPool(1, asyncio.get_running_loop())
    assert await pool.run(lambda: 1) == 1
    assert await pool.run(lambda: 2) == 2
    pool.close()
    assert await asyncio.to_thread(keeper.left.wait, 20)
    assert "Cleaning up" in caplog.text


def test_the_shortest_time_counts_and_none_is_no_limit() -> None:
    keepers = [Keeper(5.0), Keeper(None), Keeper(2.0), Keeper(-1.0)]
    assert housekeeping.tidy() is None
    for number, expected in enumerate([5.0, 5.0, 2.0, 0.0]):
        housekeeping.register(keepers[number])
        assert housekeeping.tidy() == expected
