from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable

import pytest

from hotshoe.sessions.lane import TURN, Lane
from hotshoe.sessions.threads import ThreadPool

variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


@pytest.fixture
async def lane(pool: ThreadPool | None) -> Lane:
    return Lane(asyncio.get_running_loop(), pool, contextvars.Context())


async def done(lane: Lane) -> None:
    async with asyncio.timeout(10):
        while lane.busy:
            await asyncio.sleep(0.002)


async def test_work_runs_in_the_order_of_arrival(lane: Lane) -> None:
    ran: list[int] = []

    def work(index: int) -> Callable[[], None]:
        return lambda: ran.append(index)

    for index in range(3 * TURN):
        lane.submit(work(index))
    await done(lane)
    assert ran == list(range(3 * TURN))


async def test_work_from_many_threads_never_overlaps(lane: Lane) -> None:
    running = most = total = 0

    def work() -> None:
        nonlocal running, most, total
        running += 1
        most = max(most, running)
        total += 1
        running -= 1

    def submit() -> None:
        for _ in range(200):
            lane.submit(work)

    await asyncio.gather(*(asyncio.to_thread(submit) for _ in range(4)))
    await done(lane)
    assert (most, total) == (1, 800)


async def test_an_awaitable_holds_the_lane(lane: Lane) -> None:
    ran: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0.02)
        ran.append("slow")

    lane.submit(slow)
    lane.submit(lambda: ran.append("next"))
    await done(lane)
    assert ran == ["slow", "next"]


async def test_all_work_shares_one_context(lane: Lane) -> None:
    seen: list[int] = []

    async def reads() -> None:
        await asyncio.sleep(0)
        seen.append(variable.get())

    lane.submit(lambda: variable.set(7) and None)
    lane.submit(reads)
    await done(lane)
    assert seen == [7]
    assert variable.get() == 0


@pytest.mark.parametrize("pool", [2], indirect=True)
async def test_a_long_queue_lets_other_lanes_have_the_thread(pool: ThreadPool) -> None:
    loop = asyncio.get_running_loop()
    long, short = (Lane(loop, pool, contextvars.Context()) for _ in range(2))
    blocked = Lane(loop, pool, contextvars.Context())
    release, submitted = threading.Event(), threading.Event()
    done_at: dict[str, int] = {}
    count = 0

    def work() -> None:
        nonlocal count
        count += 1
        submitted.wait(10)

    def block() -> None:
        release.wait(10)

    def note() -> None:
        done_at.setdefault("short", count)

    blocked.submit(block)  # takes the other thread
    for _ in range(10 * TURN):
        long.submit(work)
    short.submit(note)
    submitted.set()
    await done(short)
    release.set()
    await done(long)
    assert done_at["short"] < 9 * TURN


async def test_what_waits_in_an_abandoned_lane_is_for_its_heir(lane: Lane, pool: ThreadPool | None) -> None:
    ran: list[str] = []
    heir = Lane(asyncio.get_running_loop(), pool, contextvars.Context())

    began = asyncio.Event()

    async def forever() -> None:
        began.set()
        await asyncio.sleep(60)

    lane.submit(forever)
    lane.submit(lambda: ran.append("waited"))
    await began.wait()
    lane.abandon(heir)
    lane.submit(lambda: ran.append("came later"))
    await done(heir)
    assert ran == ["waited", "came later"]
    while lane.busy:  # what ran is cancelled
        await asyncio.sleep(0.01)
