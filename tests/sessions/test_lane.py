from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable

import pytest
from tests.support.keeper import Keeper
from tests.support.session_client import NOBODY

from hotshoe.base import housekeeping
from hotshoe.base.counters import Counters
from hotshoe.base.threads import ThreadPool
from hotshoe.sessions.lane import TURN, Lane


def run(lane: Lane, work: Callable[[], object]) -> None:
    lane.run(work, lambda result, error: ())


variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


@pytest.fixture
async def lane(pool: ThreadPool | None) -> Lane:
    return Lane(NOBODY, asyncio.get_running_loop(), pool, contextvars.Context(), Counters())


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Keeper:
    keeper = Keeper()
    monkeypatch.setattr(housekeeping, "_keepers", (keeper,))
    return keeper


async def done(lane: Lane) -> None:
    async with asyncio.timeout(10):
        while lane.busy:
            await asyncio.sleep(0.002)


async def test_work_runs_in_the_order_of_arrival(lane: Lane) -> None:
    ran: list[int] = []

    def work(index: int) -> Callable[[], None]:
        return lambda: ran.append(index)

    for index in range(3 * TURN):
        run(lane, work(index))
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
            run(lane, work)

    await asyncio.gather(*(asyncio.to_thread(submit) for _ in range(4)))
    await done(lane)
    assert (most, total) == (1, 800)


async def test_an_awaitable_holds_the_lane(lane: Lane) -> None:
    ran: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0.02)
        ran.append("slow")

    run(lane, slow)
    run(lane, lambda: ran.append("next"))
    await done(lane)
    assert ran == ["slow", "next"]


async def test_all_work_shares_one_context(lane: Lane) -> None:
    seen: list[int] = []

    async def reads() -> None:
        await asyncio.sleep(0)
        seen.append(variable.get())

    run(lane, lambda: variable.set(7) and None)
    run(lane, reads)
    await done(lane)
    assert seen == [7]
    assert variable.get() == 0


@pytest.mark.parametrize("pool", [2], indirect=True)
async def test_a_long_queue_lets_other_lanes_have_the_thread(pool: ThreadPool) -> None:
    loop = asyncio.get_running_loop()
    long, short = (Lane(NOBODY, loop, pool, contextvars.Context(), Counters()) for _ in range(2))
    blocked = Lane(NOBODY, loop, pool, contextvars.Context(), Counters())
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

    run(blocked, block)  # takes the other thread
    for _ in range(10 * TURN):
        run(long, work)
    run(short, note)
    submitted.set()
    await done(short)
    release.set()
    await done(long)
    assert done_at["short"] < 9 * TURN


async def test_what_waits_in_an_abandoned_lane_is_for_its_successor(lane: Lane, pool: ThreadPool | None) -> None:
    ran: list[str] = []
    successor = Lane(NOBODY, asyncio.get_running_loop(), pool, contextvars.Context(), Counters())

    began = asyncio.Event()

    async def forever() -> None:
        began.set()
        await asyncio.sleep(60)

    run(lane, forever)
    run(lane, lambda: ran.append("waited"))
    await began.wait()
    lane.abandon(successor)
    run(lane, lambda: ran.append("came later"))
    await done(successor)
    assert ran == ["waited", "came later"]
    while lane.busy:  # what ran is cancelled
        await asyncio.sleep(0.01)


async def test_each_piece_of_a_lane_is_tidied_after_on_its_thread(keeper: Keeper, lane: Lane) -> None:
    done, ran = asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()

    def work() -> None:
        keeper.notes.append("work")
        ran.append(threading.get_ident())
        if len(ran) == 3:
            loop.call_soon_threadsafe(done.set)

    for _ in range(3):
        run(lane, work)
    await done.wait()
    async with asyncio.timeout(20):
        while keeper.notes[-1] == "work":
            await asyncio.sleep(0.001)
    between = "".join(note[0] for note in keeper.notes)
    assert "ww" not in between
    assert set(ran) <= set(keeper.tidied)


async def test_what_is_awaited_has_it_around(keeper: Keeper, lane: Lane) -> None:
    done = asyncio.Event()

    async def wait() -> None:
        keeper.notes.append("awaited")
        done.set()

    run(lane, wait)
    await done.wait()
    async with asyncio.timeout(20):
        while "exit" not in keeper.notes:
            await asyncio.sleep(0.001)
    assert [note for note in keeper.notes if note != "tidy"] == ["enter", "awaited", "exit"]
