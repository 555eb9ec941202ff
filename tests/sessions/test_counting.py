"""What happens to sessions is counted where it happens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Slider
from tests.support.session_client import Client

from hotshoe.apps import App, Request
from hotshoe.base.counters import BOUNDS_S, Counters
from hotshoe.base.errors import BuildError
from hotshoe.base.tasks import Deadline
from hotshoe.base.threads import ThreadPool
from hotshoe.sessions import Pulse, Registry, Session, Surroundings, attach


class Counted:
    """A registry whose counters are looked at."""

    def __init__(self, pool: ThreadPool | None, pulse: Pulse) -> None:
        self.counters = Counters()
        self.fails = False
        surroundings = Surroundings(asyncio.get_running_loop(), pool, pulse, counters=self.counters)
        self.registry = Registry(App(build=self.build), "/app", surroundings)

    def build(self, document: Document) -> None:
        if self.fails:
            raise ValueError
        document.add_root(Slider(start=0, end=10, value=0))


@pytest.fixture
async def counted(pool: ThreadPool | None, pulse: Pulse) -> AsyncIterator[Counted]:
    counted = Counted(pool, pulse)
    yield counted
    await counted.registry.close(Deadline(1))


async def idle(session: Session) -> None:
    """Wait until the session's lane has given its thread back."""
    async with asyncio.timeout(20):
        while session.busy:
            await asyncio.sleep(0.001)


async def test_sessions(counted: Counted) -> None:
    for session_id in "abc":
        await counted.registry.open(session_id, Request(), {})
    await counted.registry.open("a", Request(), {})
    counted.fails = True
    with pytest.raises(BuildError):
        await counted.registry.open("d", Request(), {})
    counts = counted.counters.snapshot()
    assert (counts.sessions_made, counts.sessions_failed, counts.sessions_ended) == (3, 1, 0)
    assert counts.sessions_alive == len(counted.registry.sessions)
    await counted.registry.close(Deadline(5))
    counts = counted.counters.snapshot()
    assert (counts.sessions_ended, counts.sessions_alive) == (3, 0)


async def test_connections_and_messages(counted: Counted) -> None:
    session = await counted.registry.open("a", Request(), {})
    first, second = Client(attach(session)), Client(attach(session))
    for client in (first, second):
        await client.next()
    for value in range(1, 6):
        first.set(session.document.roots[0], "value", value)
        await first.until("OK")
        await second.until("PATCH-DOC")
    counts = counted.counters.snapshot()
    assert (counts.connections_opened, counts.connections_closed, counts.connections_open) == (2, 0, 2)
    assert (counts.messages_in, counts.messages_out) == (5, 2 + 5 + 5)
    first.connection.detach()
    first.connection.detach()
    assert counted.counters.snapshot().connections_open == 1
    await counted.registry.close(Deadline(5))  # closes the other
    counts = counted.counters.snapshot()
    second.connection.detach()
    assert (counts.connections_closed, counted.counters.snapshot().connections_closed) == (2, 2)


async def hold(run: Callable[[Callable[[], None]], Any]) -> threading.Event:
    """Have ``run`` call what occupies its thread until the returned event is set; returns once that has begun."""
    held, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        loop.call_soon_threadsafe(held.set)
        go_on.wait(20)

    run(wait)
    await held.wait()
    return go_on


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_how_long_work_waits_for_its_lane(counted: Counted) -> None:
    session = await counted.registry.open("a", Request(), {})
    await session.run(lambda: None)
    await idle(session)
    before = counted.counters.snapshot()
    go_on = await hold(session.lane.run)
    waits = asyncio.create_task(session.run(lambda: None))
    await asyncio.sleep(0)  # it is submitted now
    started_s = time.monotonic()
    await asyncio.sleep(0.03)
    waited_s = time.monotonic() - started_s
    go_on.set()
    await waits
    after = counted.counters.snapshot()
    assert after.lane_waits.count - before.lane_waits.count == 2
    assert after.lane_waits.sum_s - before.lane_waits.sum_s >= waited_s
    long = slice(BOUNDS_S.index(0.025) + 1, None)
    assert sum(after.lane_waits.counts[long]) > sum(before.lane_waits.counts[long])
    assert after.thread_waits.count == before.thread_waits.count + 1, "the lane had its thread all the time"


@pytest.mark.parametrize("pool", [1], indirect=True)
async def test_how_long_a_lane_waits_for_a_thread(counted: Counted, pool: ThreadPool) -> None:
    session = await counted.registry.open("a", Request(), {})
    await session.run(lambda: None)
    await idle(session)
    before = counted.counters.snapshot()
    go_on = await hold(pool.start)
    waits: asyncio.Task[Any] = asyncio.create_task(session.run(lambda: None))
    await asyncio.sleep(0)
    started_s = time.monotonic()
    await asyncio.sleep(0.03)
    waited_s = time.monotonic() - started_s
    go_on.set()
    await waits
    after = counted.counters.snapshot()
    assert after.thread_waits.sum_s - before.thread_waits.sum_s >= waited_s
    assert after.lane_waits.sum_s - before.lane_waits.sum_s >= waited_s
