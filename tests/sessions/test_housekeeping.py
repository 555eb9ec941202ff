from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from hotshoe.sessions import housekeeping
from hotshoe.sessions.lane import Lane
from hotshoe.sessions.threads import ThreadPool


class Keeper:
    """Notes on which thread it was called, and when."""

    def __init__(self, idle_s: float | None = None, *, fails: bool = False) -> None:
        self.idle_s = idle_s
        self.fails = fails
        self.notes: list[str] = []
        self.tidied: list[int] = []
        self.left = threading.Event()

    def tidy(self) -> float | None:
        self.notes.append("tidy")
        self.tidied.append(threading.get_ident())
        if self.fails:
            raise OSError("a connection that can't be closed")
        return self.idle_s

    def leave(self) -> None:
        self.left.set()
        if self.fails:
            raise OSError("a connection that can't be closed")

    @asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        self.notes.append("enter")
        try:
            yield
        finally:
            self.notes.append("exit")


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    keeper = Keeper()
    housekeeping.register(keeper)
    housekeeping.register(keeper)
    yield keeper
    housekeeping.dismiss(keeper)


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    pool = ThreadPool(2, asyncio.get_running_loop())
    yield pool
    pool.close()


async def test_each_piece_of_a_lane_is_tidied_after_on_its_thread(keeper: Keeper, pool: ThreadPool) -> None:
    lane = Lane(asyncio.get_running_loop(), pool, contextvars.copy_context())
    done, ran = asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()

    def work() -> None:
        keeper.notes.append("work")
        ran.append(threading.get_ident())
        if len(ran) == 3:
            loop.call_soon_threadsafe(done.set)

    for _ in range(3):
        lane.submit(work)
    await done.wait()
    async with asyncio.timeout(20):
        while keeper.notes[-1] == "work":
            await asyncio.sleep(0.001)
    between = "".join(note[0] for note in keeper.notes)
    assert "ww" not in between
    assert set(ran) <= set(keeper.tidied)


async def test_what_is_awaited_has_it_around(keeper: Keeper, pool: ThreadPool) -> None:
    lane = Lane(asyncio.get_running_loop(), pool, contextvars.copy_context())
    done = asyncio.Event()

    async def wait() -> None:
        keeper.notes.append("awaited")
        done.set()

    lane.submit(wait)
    await done.wait()
    async with asyncio.timeout(20):
        while "exit" not in keeper.notes:
            await asyncio.sleep(0.001)
    assert [note for note in keeper.notes if note != "tidy"] == ["enter", "awaited", "exit"]


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
    try:
        pool = ThreadPool(1, asyncio.get_running_loop())
        assert await pool.run(lambda: 1) == 1
        assert await pool.run(lambda: 2) == 2
        pool.close()
        assert await asyncio.to_thread(keeper.left.wait, 20)
    finally:
        housekeeping.dismiss(keeper)
    assert "tidying up" in caplog.text


def test_the_shortest_time_counts_and_none_is_no_limit() -> None:
    keepers = [Keeper(5.0), Keeper(None), Keeper(2.0), Keeper(-1.0)]
    assert housekeeping.tidy() is None
    for number, expected in enumerate([5.0, 5.0, 2.0, 0.0]):
        housekeeping.register(keepers[number])
        assert housekeeping.tidy() == expected
    for keeper in keepers:
        housekeeping.dismiss(keeper)
