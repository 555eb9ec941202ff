from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import pytest
from tests.support.waiting import until

from hotshoe.base import housekeeping, process_threads, threads
from hotshoe.base.process_threads import in_thread
from hotshoe.base.threads import ThreadPool, post
from hotshoe.base.turns import Gate, Pass, TurnQueue, enter
from hotshoe.base.workers import LONG_S, SPAN_S, RunningJob
from hotshoe.server.framing import deflated


def _wait(release: threading.Event) -> None:
    release.wait(120)


@pytest.fixture
async def pool() -> ThreadPool:
    return ThreadPool(4, asyncio.get_running_loop())


async def test_it_grows_on_demand_up_to_its_limit(pool: ThreadPool) -> None:
    release = threading.Event()
    running = threading.Semaphore(0)

    def job() -> None:
        running.release()
        release.wait(10)

    for _ in range(6):
        pool.start(job)
    for _ in range(4):
        await asyncio.to_thread(running.acquire, timeout=5)
    assert pool.count == 4
    assert not running.acquire(blocking=False)
    release.set()
    for _ in range(2):
        assert await asyncio.to_thread(running.acquire, timeout=5)
    pool.close()


async def test_a_job_behind_long_ones_gets_a_thread_of_its_own() -> None:
    pool = ThreadPool(threads.EAGER + 2, asyncio.get_running_loop())
    release = threading.Event()
    for _ in range(threads.EAGER + 1):
        pool.start(partial(_wait, release))
    async with asyncio.timeout(10):
        assert await pool.run(lambda: 42) == 42
    assert pool.count == threads.EAGER + 2
    release.set()
    pool.close()


async def test_short_jobs_need_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PATIENCE_S", 60.0)
    pool = ThreadPool(32, asyncio.get_running_loop())
    await asyncio.gather(*(pool.run(lambda: None) for _ in range(500)))
    assert pool.count <= threads.EAGER
    pool.close()


async def test_who_worked_last_works_next() -> None:
    pool = ThreadPool(4, asyncio.get_running_loop())
    barrier = threading.Barrier(4)
    await asyncio.gather(*(pool.run(lambda: barrier.wait(20)) for _ in range(4)))
    seen = set()
    for _ in range(20):
        async with asyncio.timeout(10):
            while len(pool._idle) < 4:
                await asyncio.sleep(0.001)
        seen.add(await pool.run(threading.get_ident))
    assert len(seen) == 1
    pool.close()


async def test_closing_lets_what_waits_run() -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())
    ran: list[int] = []
    release = threading.Event()
    pool.start(partial(_wait, release))
    for number in range(3):
        pool.start(lambda number=number: ran.append(number))  # type: ignore[misc]
    pool.close()
    release.set()
    async with asyncio.timeout(10):
        while pool.count:
            await asyncio.sleep(0.01)
    assert ran == [0, 1, 2]


async def test_it_reuses_a_thread_that_is_free(pool: ThreadPool) -> None:
    for _ in range(20):
        await pool.run(lambda: None)
        async with asyncio.timeout(10):
            while len(pool._idle) < pool.count:  # it has told its result, and is about to be free
                await asyncio.sleep(0.001)
    assert pool.count == 1
    pool.close()


async def test_an_idle_thread_ends_and_a_new_one_starts() -> None:
    pool = ThreadPool(4, asyncio.get_running_loop(), idle_s=0.01)
    await pool.run(lambda: None)
    async with asyncio.timeout(5):
        while pool.count:
            await asyncio.sleep(0.01)
    assert await pool.run(lambda: 42) == 42
    pool.close()


async def test_closing_ends_the_threads_and_refuses_jobs(pool: ThreadPool) -> None:
    await pool.run(lambda: None)
    pool.close()
    async with asyncio.timeout(5):
        while pool.count:
            await asyncio.sleep(0.01)
    with pytest.raises(RuntimeError, match="closed"):
        pool.start(lambda: None)


async def test_a_raising_job_is_logged_and_the_thread_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())

    def fails() -> None:
        raise SystemExit("no")

    with caplog.at_level(logging.ERROR):
        pool.start(fails)
        assert await pool.run(lambda: "alive") == "alive"
    pool.close()
    assert "failed" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), StopIteration()])
async def test_what_no_future_can_carry_becomes_a_runtime_error(pool: ThreadPool, error: BaseException) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(RuntimeError, match=type(error).__name__):
        await pool.run(fails)
    pool.close()


async def test_a_coroutine_that_nobody_waits_for_is_closed(pool: ThreadPool) -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[Coroutine[Any, Any, None]] = []

    async def work() -> None:
        """Never begins."""

    def job() -> Coroutine[Any, Any, None]:
        made.append(work())
        begun.set()
        assert go_on.wait(20)
        return made[0]

    running = asyncio.create_task(pool.run(job))
    await until(begun.is_set)
    running.cancel()
    await asyncio.wait([running])
    go_on.set()
    await until(lambda: inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED)


async def test_its_threads_have_the_servers_loop(pool: ThreadPool) -> None:
    from tornado.ioloop import IOLoop

    loop = asyncio.get_running_loop()
    assert await pool.run(asyncio.get_event_loop) is loop
    assert (await pool.run(IOLoop.current)).asyncio_loop is loop
    pool.close()


def test_posting_to_a_closed_loop_does_nothing() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    post(loop, print, "never")


async def test_who_is_cancelled_before_it_begins_never_runs() -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())
    release = threading.Event()
    ran: list[int] = []
    stuck = pool.submit(release.wait, 20)
    async with asyncio.timeout(10):
        while not stuck.running():
            await asyncio.sleep(0.001)
    waiting = [asyncio.create_task(pool.run(partial(ran.append, number))) for number in range(3)]
    async with asyncio.timeout(10):
        while pool.waiting_count < 3:
            await asyncio.sleep(0.001)
    waiting[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    assert pool.waiting_count == 2, "what nobody waits for must not pile up"
    release.set()
    await asyncio.gather(waiting[0], waiting[2])
    assert ran == [0, 2]
    pool.close()


# -- as an executor, without a loop


def fail() -> None:
    raise SystemExit("no end of the thread")


def test_results_and_errors() -> None:
    pool = ThreadPool(1)
    failed = pool.submit(fail)
    assert pool.submit(divmod, 7, 2).result(30) == (3, 1)
    with pytest.raises(SystemExit):
        failed.result(30)
    assert list(pool.map(abs, [-1, 2])) == [1, 2]
    assert pool.count == 1
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(fail)


def test_as_many_as_there_is_work_for_and_no_more() -> None:
    pool, go = ThreadPool(3), threading.Event()
    begun = threading.Semaphore(0)

    def wait() -> int:
        begun.release()
        go.wait()
        return 1

    waiting: list[Future[int]] = [pool.submit(wait) for _ in range(5)]
    assert all(begun.acquire(timeout=30) for _ in range(3))
    assert pool.count == 3
    assert waiting[4].cancel()
    assert not waiting[0].cancel(), "it has begun"
    assert pool.waiting_count == 1
    go.set()
    assert sum(future.result(30) for future in waiting[:4]) == 4
    with pytest.raises(CancelledError):
        waiting[4].result(30)
    assert pool.count == 3


def test_an_idle_thread_works_again_and_ends_at_last() -> None:
    pool = ThreadPool(100, idle_s=0.5)
    first, end = pool.submit(threading.current_thread).result(30), time.monotonic() + 30
    while pool.submit(threading.current_thread).result(30) is not first:
        assert time.monotonic() < end
    while pool.count and time.monotonic() < end:
        time.sleep(0.02)
    assert pool.count == 0
    assert pool.submit(int, "3").result(30) == 3


def test_shutting_down_waits_for_nobody_and_drops_what_has_not_begun() -> None:
    pool, release, entered = ThreadPool(1), threading.Event(), threading.Event()
    begun = pool.submit(lambda: entered.set() or release.wait(30))  # type: ignore[func-returns-value]
    waiting = pool.submit(int, "3")
    assert entered.wait(30)
    pool.shutdown(wait=True, cancel_futures=True)
    assert waiting.cancelled()
    assert not begun.done()
    release.set()
    assert begun.result(30)


def test_a_destructor_may_start_a_job_while_the_pool_has_its_lock() -> None:
    """Python may collect garbage at any time, and an app's destructor may call the next tick of a document."""
    pool, begun, release, done = ThreadPool(2), threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        release.wait(120)

    pool.start(job, TurnQueue(lambda: pool.start(done.set)))  # a collection at the moment at which its owner is asked
    assert begun.wait(60)
    looking = threading.Thread(target=pool.running, daemon=True)
    looking.start()
    looking.join(30)
    assert not looking.is_alive()
    assert done.wait(60)
    release.set()
    pool.close()


async def test_in_thread_runs_beside_the_loop_with_the_caller_s_context() -> None:
    variable = contextvars.ContextVar("variable", default="")
    variable.set("of the caller")
    assert await in_thread(variable.get) == "of the caller"
    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "x", base=16)


NEVER_RETURNS = {
    "pool": "ThreadPool(2).submit(hang)",
    "in_thread": "threading.Thread(target=asyncio.run, args=(in_thread(hang),), daemon=True).start()",
}


@pytest.mark.parametrize("way", NEVER_RETURNS)
def test_a_process_ends_without_a_thread_that_never_returns(way: str) -> None:
    code = f"""
import asyncio, threading
from hotshoe.base.process_threads import in_thread
from hotshoe.base.threads import ThreadPool
begun = threading.Event()
def hang():
    begun.set()
    threading.Event().wait()
{NEVER_RETURNS[way]}
begun.wait()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_thread_that_the_system_refuses_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = ThreadPool(2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                pool.submit(int, "3")
    assert (pool.count, pool.waiting_count) == (0, 0)
    assert pool.submit(int, "3").result(30) == 3


async def test_a_job_at_a_gate_runs_although_the_system_refused_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        refused.append(thread)
        raise RuntimeError("can't start new thread")

    pool = ThreadPool(2, asyncio.get_running_loop())
    line, gate, done = TurnQueue(), Gate(1), threading.Event()
    line.needs = Pass(kept=[gate])
    enter([gate])
    pool.start(done.set, line)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        pool._turns.leave([gate])
        await until(lambda: len(refused) > 1)
    await until(done.is_set)
    pool.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_in_thread_works_in_a_process_that_was_forked() -> None:
    code = """
import asyncio, os, signal, time
from hotshoe.base import process_threads
asyncio.run(process_threads.in_thread(int, "3"))
while not process_threads._for_waiting._idle:
    time.sleep(0.01)
child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(asyncio.run(process_threads.in_thread(int, "7")))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_what_computes_does_not_wait_for_those_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_threads, "_for_waiting", ThreadPool(1))
    release = threading.Event()
    hanging = asyncio.create_task(in_thread(_wait, release))
    try:
        async with asyncio.timeout(10):
            frames = await deflated([(bytes(1 << 20), True)], [])
    finally:
        release.set()
        await hanging
    assert sum(map(len, frames)) > 1 << 20


# -- shared between users


@pytest.fixture
async def shared() -> AsyncIterator[ThreadPool]:
    """Four threads, and twelve spare ones."""
    pool = ThreadPool(4, asyncio.get_running_loop(), spare=12)
    yield pool
    pool.close()


def line_of(*gates: Gate, kept: tuple[Gate, ...] = ()) -> TurnQueue:
    line = TurnQueue()
    line.needs = Pass(gates, kept)
    return line


async def run_on(pool: ThreadPool, line: TurnQueue) -> None:
    """Wait until a job of ``line`` has run."""
    done = threading.Event()
    pool.start(done.set, line)
    await until(done.is_set, 60)


async def test_callbacks_that_wait_for_ever_leave_threads_for_others(shared: ThreadPool) -> None:
    release = threading.Event()
    for _ in range(10):
        shared.start(partial(_wait, release), line_of())
    await until(lambda: not shared.waiting_count, 60)
    for _ in range(3):
        await run_on(shared, line_of())
    assert shared.count > 10
    release.set()
    await until(lambda: not any(job.is_waiting for job in shared.running()), 60)
    await run_on(shared, line_of())


async def test_there_is_a_bound_on_those_that_wait(shared: ThreadPool) -> None:
    release = threading.Event()
    for _ in range(20):
        shared.start(partial(_wait, release), line_of())
    await until(lambda: shared.waiting_count == 4 and all(job.is_waiting for job in shared.running()), 60)
    shared.look()
    assert (shared.count, len(shared.running()), shared.waiting_count) == (16, 16, 4)
    release.set()
    await until(lambda: not shared.waiting_count and not shared.running(), 60)


async def test_a_gate_is_left_by_those_that_only_wait(shared: ThreadPool) -> None:
    release, gate = threading.Event(), Gate(1)
    for _ in range(3):
        shared.start(partial(_wait, release), line_of(gate))
    await run_on(shared, line_of(gate))
    release.set()
    await until(lambda: not shared.running(), 60)
    assert gate.passed == 0


async def test_short_waits_do_not_stand_at_gates_of_those_that_compute(shared: ThreadPool) -> None:
    """Many viewers at one address whose callbacks ask a database for a moment: each ends before it is seen to wait."""
    gate, kept, release = Gate(1), Gate(8), threading.Event()
    build, *lines = [line_of(gate, kept=(kept,)) for _ in range(4)]
    build.is_build = True
    for line in (build, *lines):
        shared.start(partial(time.sleep, 20 * LONG_S), line)
    await until(lambda: not shared.running() and not shared.waiting_count, 60)
    assert all(line.only_waits for line in lines)
    assert not build.only_waits, "what a build does says nothing about callbacks"
    for line in lines:
        shared.start(partial(_wait, release), line)
    await until(lambda: len(shared.running()) == 3, 60)
    assert (gate.passed, kept.passed) == (0, 3)
    release.set()
    await until(lambda: not shared.running(), 60)
    assert (gate.passed, kept.passed) == (0, 0)


async def test_what_computes_counts_at_last_whatever_came_before(shared: ThreadPool) -> None:
    gate, stop = Gate(1), threading.Event()
    lines = [line_of(gate) for _ in range(2)]
    for line in lines:
        line.only_waits = True
        shared.start(partial(compute, stop), line)

    def look() -> int:
        shared.look()
        return gate.passed

    await until(lambda: look() == 2, 60)
    stop.set()
    await until(lambda: not shared.running(), 60)
    assert gate.passed == 0


def compute(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1000))


async def test_a_gate_holds_those_that_compute_and_nobody_else(shared: ThreadPool) -> None:
    stop, gate, ran = threading.Event(), Gate(2), threading.Event()
    for _ in range(2):
        shared.start(partial(compute, stop), line_of(gate))
    await until(lambda: gate.passed == 2, 60)
    shared.start(ran.set, line_of(gate))
    for _ in range(10):
        await run_on(shared, line_of())
        shared.look()
        await asyncio.sleep(SPAN_S)
    assert not ran.is_set()
    assert (shared.waiting_count, gate.passed) == (1, 2)
    stop.set()
    await until(ran.is_set, 60)
    await until(lambda: not shared.running(), 60)
    assert gate.passed == 0


async def test_those_that_compute_after_a_pause_count_again(shared: ThreadPool) -> None:
    go_on, stop, gate = threading.Event(), threading.Event(), Gate(1)

    def pause_and_compute() -> None:
        go_on.wait(120)
        compute(stop)

    def look() -> int:
        shared.look()
        return gate.passed

    shared.start(pause_and_compute, line_of(gate))
    await until(lambda: look() == 0, 60)
    go_on.set()
    await until(lambda: look() == 1, 60)
    stop.set()
    await until(lambda: not shared.running(), 60)
    assert gate.passed == 0


async def test_what_is_given_up_has_no_gates_and_no_thread_any_more() -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())
    release, gate = threading.Event(), Gate(1)
    stuck = line_of(kept=(gate,))
    pool.start(partial(_wait, release), stuck)
    await until(lambda: gate.passed == 1, 60)
    pool.give_up(stuck)
    pool.give_up(stuck)
    assert (gate.passed, pool.lost_count) == (0, 1)
    await run_on(pool, line_of(gate))
    release.set()
    await until(lambda: not pool.lost_count, 60)
    assert gate.passed == 0
    pool.close()


async def test_what_has_left_the_queue_does_not_run(shared: ThreadPool) -> None:
    stop, gate, ran = threading.Event(), Gate(1), threading.Event()
    line = line_of(gate)
    shared.start(partial(compute, stop), line_of(gate))
    shared.start(ran.set, line)
    assert shared.forget(ran.set, line)
    assert not shared.forget(ran.set, line)
    stop.set()
    await run_on(shared, line_of(gate))
    assert not ran.is_set()


# -- what an app does to its thread, and what is done to a thread


HARMS: dict[str, Callable[[asyncio.AbstractEventLoop], object]] = {
    "run": lambda other: asyncio.run(asyncio.sleep(0)),
    "set": asyncio.set_event_loop,
    "unset": lambda other: asyncio.set_event_loop(None),
    "policy": lambda other: asyncio.set_event_loop_policy(None),
}


@pytest.mark.parametrize("harm", HARMS)
async def test_an_app_s_loop_is_no_other_s(harm: str) -> None:
    loop, other, pool = asyncio.get_running_loop(), asyncio.new_event_loop(), ThreadPool(1, asyncio.get_running_loop())
    await pool.run(partial(HARMS[harm], other))
    assert await pool.run(asyncio.get_event_loop) is loop
    pool.close()
    other.close()


class Ended(BaseException):
    """Raised from outside."""


async def interrupt(pool: ThreadPool, job: RunningJob) -> None:
    async with asyncio.timeout(60):
        while not pool.interrupt(job, Ended, lambda frame: True):
            await asyncio.sleep(0.001)


async def test_a_loop_is_ended_and_its_thread_goes_on() -> None:
    pool, ended = ThreadPool(1, asyncio.get_running_loop()), threading.Event()

    def loop_for_ever() -> None:
        try:
            compute(threading.Event())
        except Ended:
            ended.set()

    pool.start(loop_for_ever)
    await until(lambda: len(pool.running()) == 1, 60)
    [job] = pool.running()
    await interrupt(pool, job)
    await until(ended.is_set, 60)
    assert await pool.run(lambda: 42) == 42
    assert not pool.interrupt(job, Ended, lambda frame: True), "its job has ended: the next one is not hit"
    pool.close()


async def test_no_later_job_is_hit_by_what_ended_too_late() -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())
    for _ in range(200):
        stop = threading.Event()
        ending = pool.submit(partial(compute, stop))
        await until(ending.running, 60)
        [job] = pool.running()
        stop.set()
        pool.interrupt(job, Ended, lambda frame: True)
        assert await pool.run(lambda: sum(range(1000))) == 499500
    pool.close()


async def test_a_thread_is_left_alone_where_it_is_not_safe() -> None:
    pool, stop = ThreadPool(1, asyncio.get_running_loop()), threading.Event()
    running = pool.submit(partial(compute, stop))
    await until(running.running, 60)
    [job] = pool.running()
    assert not pool.interrupt(job, Ended, lambda frame: False)
    looks = iter([True, False])
    assert not pool.interrupt(job, Ended, lambda frame: next(looks)), "it went on between the two looks"
    stop.set()
    await asyncio.wrap_future(running)
    pool.close()


REVOKED = """
import sys, threading
from hotshoe.base.workers import revoke_exception, set_exception

class Ended(BaseException):
    pass

ready, end = threading.Event(), threading.Event()

def wait():
    ready.set()
    end.wait()

thread = threading.Thread(target=wait)
thread.start()
ready.wait()
set_exception(thread.ident, Ended)
revoke_exception(thread.ident)  # before the thread has got it
revoke_exception(threading.get_ident())  # where there is none
end.set()
thread.join()
sys.setprofile(lambda *call: None)
print(len("done"))
"""


def test_no_thread_looks_for_an_exception_that_was_revoked() -> None:
    """In Python 3.11 all threads would, for ever, and the first call with a profile function would never return."""
    done = subprocess.run([sys.executable, "-c", REVOKED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("4\n", "")


async def test_a_lasting_thread_stays_and_tidies_up_when_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(housekeeping, "leave", lambda: left.append(threading.get_ident()))
    pool = ThreadPool(1, asyncio.get_running_loop(), idle_s=0.01, is_lasting=True)
    ident = await pool.run(threading.get_ident)
    for count in (1, 2):
        async with asyncio.timeout(10):
            while len(left) < count:
                await asyncio.sleep(0.002)
        assert await pool.run(threading.get_ident) == ident
    assert (pool.count, set(left)) == (1, {ident})
    pool.close()
    async with asyncio.timeout(10):
        while len(left) < 3:  # when it ends
            await asyncio.sleep(0.002)
    assert pool.count == 0


def test_a_lasting_pool_runs_before_it_has_a_loop() -> None:
    pool = ThreadPool(1, is_lasting=True)
    ident = pool.submit(threading.get_ident).result(10)

    async def serve() -> tuple[int, bool]:
        loop = asyncio.get_running_loop()
        pool.serve(loop)
        found: tuple[int, bool] = await pool.run(lambda: (threading.get_ident(), asyncio.get_event_loop() is loop))
        return found

    assert asyncio.run(serve()) == (ident, True)
    pool.close()
