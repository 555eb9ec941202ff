from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial

import pytest

from hotshoe.sessions import threads
from hotshoe.sessions.threads import ThreadPool, post


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
        pool.submit(job)
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
        pool.submit(partial(_wait, release))
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
            while pool.idle_count < 4:
                await asyncio.sleep(0.001)
        seen.add(await pool.run(threading.get_ident))
    assert len(seen) == 1
    pool.close()


async def test_closing_lets_what_waits_run() -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())
    ran: list[int] = []
    release = threading.Event()
    pool.submit(partial(_wait, release))
    for number in range(3):
        pool.submit(lambda number=number: ran.append(number))  # type: ignore[misc]
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
            while pool.idle_count < pool.count:  # it has told its result, and is about to be free
                await asyncio.sleep(0.001)
    assert pool.count == 1
    pool.close()


async def test_an_idle_thread_ends_and_a_new_one_starts(pool: ThreadPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "IDLE_S", 0.01)
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
        pool.submit(lambda: None)


async def test_a_raising_job_is_logged_and_the_thread_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    pool = ThreadPool(1, asyncio.get_running_loop())

    def fails() -> None:
        raise SystemExit("no")

    with caplog.at_level(logging.ERROR):
        pool.submit(fails)
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
