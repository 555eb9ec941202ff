"""Callbacks that hold threads: who is told, and which are ended."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from types import FrameType

import pytest
from bokeh.document import Document
from tests.support.waiting import until

from hotshoe.apps import App, Request
from hotshoe.base import housekeeping, tracebacks
from hotshoe.base.errors import BuildError, UnseenCallback
from hotshoe.base.logs import session_hash
from hotshoe.base.tasks import Deadline
from hotshoe.base.threads import ThreadPool
from hotshoe.base.workers import frame_of
from hotshoe.hosts import watch
from hotshoe.hosts.watch import Watch
from hotshoe.sessions import FailureInfo, Pulse, Registry, Session, Surroundings, attach, on_exception
from hotshoe.sessions import failures as failures_module

THREADS = 4


class Watched:
    """An app, its threads, and the watch over them, which looks when it is told to."""

    def __init__(self, build: Callable[[Document], None] = lambda document: None) -> None:
        self.release = threading.Event()
        self.pool = ThreadPool(THREADS, asyncio.get_running_loop(), spare=7 * THREADS)
        surroundings = Surroundings(asyncio.get_running_loop(), self.pool, Pulse())
        self.registry = Registry(App(build=build), "/app", surroundings)
        self.watch = Watch(self.pool, {"/app": self.registry}, most=THREADS, spare=7 * THREADS, lifetime_s=30)

    async def open(self, session_id: str) -> Session:
        return await self.registry.open(session_id, Request(), {})

    async def look_until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await self.watch.look()
                await asyncio.sleep(0.01)


def leave(session: Session) -> None:
    """Nobody has seen the session for long."""
    session.unused_since_s -= 3600


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LONG_S", 0.05)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    await stop(watched)


async def stop(watched: Watched) -> None:
    watched.release.set()
    await watched.registry.close(Deadline(5))
    watched.pool.close()


@pytest.fixture
def failures() -> list[BaseException]:
    return []


@pytest.fixture(autouse=True)
def listening(failures: list[BaseException]) -> Iterator[None]:
    def listen(error: BaseException, failure: FailureInfo) -> None:
        failures.append(error)

    remove = on_exception(listen)
    yield
    remove()


def loop_for_ever() -> None:
    while True:
        sum(range(100))


async def run_callback(session: Session, callback: Callable[[], object]) -> None:
    """Start a callback, and wait until it runs."""
    begun = threading.Event()

    def begin() -> None:
        begun.set()
        callback()

    session.callbacks.run(begin)
    await until(begun.is_set, 60)


async def test_a_warning_names_the_sessions_that_hold_threads(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        await run_callback(await watched.open(name), watched.release.wait)

    def all_wait() -> bool:
        watched.pool.look()
        return all(job.is_waiting for job in watched.pool.running())

    await until(all_wait, 60)
    await asyncio.sleep(2 * watch.LONG_S)
    await watched.watch.look()
    await watched.watch.look()
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    text = record.getMessage()
    assert "--threads 4" in text
    for name in "abc":
        assert f"session {session_hash(name)} of app /app waits at " in text
    assert "threading.py:" not in text, "the place is in the app's code"
    assert "test_watch.py:" in text


async def test_one_long_callback_is_nothing_to_warn_of(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    await run_callback(await watched.open("a"), watched.release.wait)
    await asyncio.sleep(2 * watch.LONG_S)
    await watched.watch.look()
    await watched.watch.look()
    assert not caplog.records


async def test_a_loop_whose_session_nobody_sees_is_ended(watched: Watched, failures: list[BaseException]) -> None:
    session = await watched.open("a")
    await run_callback(session, loop_for_ever)
    await asyncio.sleep(2 * watch.LONG_S)
    await watched.watch.look()
    assert session.busy, "somebody has just seen it"
    leave(session)
    await watched.look_until(lambda: not session.busy)
    assert [type(error) for error in failures] == [UnseenCallback]
    await watched.registry.expire(30)
    await until(lambda: not watched.registry.sessions, 60)


async def test_a_loop_with_a_viewer_goes_on(watched: Watched) -> None:
    session = await watched.open("a")
    connection = attach(session)
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(100))

    await run_callback(session, compute)
    leave(session)
    await asyncio.sleep(2 * watch.LONG_S)
    for _ in range(5):
        await watched.watch.look()
    assert session.busy
    stop.set()
    await until(lambda: not session.busy, 60)
    connection.detach()


async def test_a_loop_of_an_app_that_catches_all_loses_its_thread(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    session, stop, caught = await watched.open("a"), threading.Event(), []

    def stubborn() -> None:
        while not stop.is_set():
            try:
                while not stop.is_set():
                    sum(range(100))
            except BaseException as error:
                caught.append(type(error))

    await run_callback(session, stubborn)
    leave(session)
    await watched.look_until(lambda: watched.pool.lost_count)
    assert 1 <= len(caught) <= watch.TRIES_MOST
    assert "can't be ended" in caplog.text
    assert session_hash("a") in caplog.text
    stop.set()
    await until(lambda: not watched.pool.lost_count, 60)


async def test_a_callback_that_waits_loses_its_thread_when_nobody_sees_it(watched: Watched) -> None:
    session = await watched.open("a")
    await run_callback(session, watched.release.wait)
    leave(session)
    await watched.look_until(lambda: watched.pool.lost_count)
    watched.release.set()
    await until(lambda: not session.busy, 60)
    assert not watched.pool.lost_count


async def test_a_build_in_a_loop_is_ended_when_its_clients_have_left(failures: list[BaseException]) -> None:
    begun = threading.Event()

    def build(document: Document) -> None:
        begun.set()
        loop_for_ever()

    watched = Watched(build)
    opening = asyncio.create_task(watched.open("a"))
    await until(begun.is_set, 60)
    await asyncio.sleep(2 * watch.LONG_S)
    [job] = watched.pool.running()
    assert isinstance(job.owner, Session)
    leave(job.owner)
    for _ in range(3):
        await watched.watch.look()
    assert not failures, "a client waits for it"
    opening.cancel()
    await asyncio.wait([opening])
    leave(job.owner)
    await watched.look_until(lambda: not watched.registry.held_count)
    assert [type(error) for error in failures] == [UnseenCallback]
    del job
    await stop(watched)


async def test_the_next_session_on_the_thread_is_not_hit(watched: Watched, failures: list[BaseException]) -> None:
    """Callbacks of unseen sessions end by themselves, just when they are to be ended."""
    ended = 0
    for round_ in range(20):
        session = await watched.open(f"unseen {round_}")
        stop = threading.Event()

        def compute(stop: threading.Event = stop) -> None:
            while not stop.is_set():
                sum(range(100))

        await run_callback(session, compute)
        leave(session)
        await asyncio.sleep(watch.LONG_S)
        looking = asyncio.create_task(watched.watch.look())
        stop.set()
        seen = await watched.open(f"seen {round_}")
        async with asyncio.timeout(60):
            assert await seen.run(lambda: sum(range(1000))) == 499500
        await looking
        await until(lambda session=session: not session.busy, 60)  # type: ignore[misc]
        ended += 1
    assert ended == 20
    assert all(isinstance(error, UnseenCallback) for error in failures)
    assert not any(isinstance(error, BuildError) for error in failures)


def end_too_late() -> object:
    """A callback that is to be ended in its last step, in which Python does not look for that."""
    thread, error = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(UnseenCallback)
    end = staticmethod(partial(ctypes.pythonapi.PyThreadState_SetAsyncExc, thread, error))
    return -type("Step", (), {"__neg__": end})()


async def test_what_comes_after_the_last_step_of_a_callback_is_its_own(
    watched: Watched, failures: list[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    session = await watched.open("a")
    session.callbacks.run(end_too_late)
    assert await session.run(lambda: 42) == 42
    assert [type(error) for error in failures] == [UnseenCallback]
    assert "locked work failed" not in caplog.messages


async def test_those_who_are_told_of_failures_are_left_alone(watched: Watched) -> None:
    session, told, go_on = await watched.open("a"), threading.Event(), threading.Event()

    def listen(error: BaseException, failure: FailureInfo) -> None:
        told.set()
        while not go_on.is_set():
            sum(range(100))

    remove = on_exception(listen)
    try:
        await run_callback(session, lambda: 1 / 0)
        await until(told.is_set, 60)
        await asyncio.sleep(2 * watch.LONG_S)
        [job] = watched.pool.running()
        assert not any(watched.pool.interrupt(job, UnseenCallback, tracebacks.may_be_interrupted) for _ in range(50))
    finally:
        go_on.set()
        remove()


def frame_in(filename: str, then: Callable[[], object]) -> None:
    """Call ``then`` from code of this file."""
    exec(compile("then()", filename, "exec"), {"then": then})


@pytest.mark.parametrize(("filename", "is_safe"), [
    ("/home/ada/app.py", True),
    ("/usr/lib/python3/site-packages/pandas/frame.py", True),
    (logging.__file__, False),
    (threading.__file__, False),
    (watch.__file__, False),
    (failures_module.__file__, False),
    (housekeeping.__file__, False),
])
def test_where_a_callback_may_be_ended(filename: str, *, is_safe: bool) -> None:
    found: list[bool] = []

    def look() -> None:
        def inner() -> None:
            frame: FrameType | None = frame_of(threading.get_ident())
            assert frame is not None
            # From the code of the file inwards nothing is this test's own.
            while frame.f_code.co_filename != filename:
                assert frame.f_back is not None
                frame = frame.f_back
            found.append(tracebacks.may_be_interrupted(frame))

        frame_in(filename, inner)

    thread = threading.Thread(target=frame_in, args=("/home/ada/main.py", look))
    thread.start()
    thread.join(60)
    assert found == [is_safe]
