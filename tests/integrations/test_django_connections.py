"""Django's database connections on the threads of apps."""

from __future__ import annotations

from tests.integrations.django_site import ready
from tests.support.waiting import until

# isort: split
import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, connections

from hotshoe.base import housekeeping
from hotshoe.base.threads import ThreadPool
from hotshoe.integrations.django.application import Connections


@pytest.fixture(scope="module", autouse=True)
def tables() -> None:
    ready.prepare()


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_keepers", (Connections(),))


@asynccontextmanager
async def pool_of(most: int, *, age_s: float | None) -> AsyncIterator[ThreadPool]:
    before = settings.DATABASES["default"].get("CONN_MAX_AGE", 0)
    settings.DATABASES["default"]["CONN_MAX_AGE"] = age_s
    pool = ThreadPool(most, asyncio.get_running_loop())
    yield pool
    pool.close()
    settings.DATABASES["default"]["CONN_MAX_AGE"] = before


def query() -> tuple[int, Any]:
    """Needs no DJANGO_ALLOW_ASYNC_UNSAFE, and leaves a connection open."""
    assert User.objects.count() >= 0
    assert connection.connection is not None
    return threading.get_ident(), connections["default"]


async def test_connections_end_with_the_work(keeper: None) -> None:
    async with pool_of(4, age_s=0) as pool:
        found = await asyncio.gather(*(pool.run(query) for _ in range(20)))
        await until(lambda: all(each.connection is None for _, each in found))


async def test_connections_stay_where_they_may(keeper: None) -> None:
    async with pool_of(1, age_s=None) as pool:
        thread, first = await pool.run(query)
        opened = first.connection
        for _ in range(3):
            assert await pool.run(query) == (thread, first)
            assert first.connection is opened


async def test_no_idle_thread_has_a_connection_that_is_too_old(keeper: None) -> None:
    async with pool_of(1, age_s=0.3) as pool:
        _, found = await pool.run(query)
        await until(lambda: pool.count == 0 and found.connection is None)


async def test_connections_end_with_the_server(keeper: None) -> None:
    async with pool_of(1, age_s=None) as pool:
        _, found = await pool.run(query)
        await until(lambda: len(pool._idle) == 1)
        assert found.connection is not None
    await until(lambda: found.connection is None)


async def test_connections_of_coroutines_end(keeper: None) -> None:
    found: list[Any] = []

    async def work() -> int:
        count: int = await User.objects.acount()
        found.append(await sync_to_async(lambda: connections["default"])())
        assert found[0].connection is not None
        return count

    assert await housekeeping.await_with_keepers(work()) >= 0
    assert found[0].connection is None


async def test_without_threads_the_orm_says_why(keeper: None) -> None:
    with pytest.raises(SynchronousOnlyOperation):
        User.objects.count()
