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
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import pytest
from tests.support.waiting import until

from hotshoe.base import threads
from hotshoe.base.threads import ThreadPool, in_thread, post
from hotshoe.server.framing import deflated


def _wait(release: threading.Event) -> None:
    release.wait(20)


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
from hotshoe.base.threads import ThreadPool, in_thread
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_in_thread_works_in_a_process_that_was_forked() -> None:
    code = """
import asyncio, os, signal, time
from hotshoe.base import threads
asyncio.run(threads.in_thread(int, "3"))
while not threads._for_waiting._idle:
    time.sleep(0.01)
child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(asyncio.run(threads.in_thread(int, "7")))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_what_computes_does_not_wait_for_those_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_for_waiting", ThreadPool(1))
    release = threading.Event()
    hanging = asyncio.create_task(in_thread(_wait, release))
    try:
        async with asyncio.timeout(10):
            frames = await deflated([(bytes(1 << 20), True)], [])
    finally:
        release.set()
        await hanging
    assert sum(map(len, frames)) > 1 << 20
