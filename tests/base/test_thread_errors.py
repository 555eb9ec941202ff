"""Errors that are typical of another thread, as Python and libraries raise them, and the setting that each names."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from hotshoe.base.thread_errors import AppThread, add_hint, hint_for
from hotshoe.base.tracebacks import describe, user_traceback


def error_on_a_thread(function: Callable[[], Any]) -> BaseException:
    """What ``function`` raises on another thread than this one."""
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(function).exception()
    assert error is not None
    return error


def of_sqlite() -> BaseException:
    """sqlite3's error."""
    with closing(sqlite3.connect(":memory:")) as connection:
        return error_on_a_thread(connection.cursor)


async def _lock_of_another_loop() -> None:
    lock = asyncio.Lock()
    await lock.acquire()

    async def use() -> None:
        await asyncio.wait_for(lock.acquire(), 0.5)

    waiting = asyncio.ensure_future(lock.acquire())
    await asyncio.sleep(0)
    try:
        await asyncio.to_thread(asyncio.run, use())
    finally:
        waiting.cancel()


REAL: dict[str, tuple[Callable[[], BaseException], str]] = {
    "sqlite3": (of_sqlite, "--app-thread own"),
    "signal": (lambda: error_on_a_thread(lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)), "--app-thread loop"),
    "wakeup": (lambda: error_on_a_thread(lambda: signal.set_wakeup_fd(-1)), "--app-thread loop"),
    "no loop": (lambda: error_on_a_thread(asyncio.get_event_loop), "--app-thread loop"),
    "no running loop": (lambda: error_on_a_thread(asyncio.get_running_loop), "--app-thread loop"),
}
LIKE: dict[str, tuple[BaseException, str]] = {
    "tkinter": (RuntimeError("main thread is not in main loop"), "own"),
    "tcl": (RuntimeError("Calling Tcl from different apartment"), "own"),
    "future": (RuntimeError("Task <Task> got Future <Future> attached to a different loop"), "loop"),
    "lock": (RuntimeError("<asyncio.locks.Lock> is bound to a different event loop"), "loop"),
    "greenlet": (type("error", (Exception,), {"__module__": "greenlet"})(
        "cannot switch to a different thread (which happens to have exited)"), "own"),
    "com": (OSError("[WinError -2147221008] CoInitialize has not been called"), "own"),
    "opengl": (RuntimeError("Attempt to retrieve context when no valid context"), "own"),
    "macos": (RuntimeError("NSWindow should only be instantiated on the main thread!"), "loop"),
}


@pytest.mark.parametrize("kind", REAL)
def test_real_errors(kind: str) -> None:
    make, setting = REAL[kind]
    assert setting in (hint_for(make()) or "")


def test_a_lock_of_another_loop() -> None:
    with pytest.raises(RuntimeError) as caught:
        asyncio.run(_lock_of_another_loop())
    assert "--app-thread loop" in (hint_for(caught.value) or "")


@pytest.mark.parametrize("kind", LIKE)
def test_errors_of_libraries(kind: str) -> None:
    error, setting = LIKE[kind]
    assert f"--app-thread {setting}" in (hint_for(error) or "")


@pytest.mark.parametrize(("thread", "named"), [("pool", "own"), ("own", "loop"), ("loop", None)])
def test_the_hint_names_what_may_help_yet(thread: AppThread, named: str | None) -> None:
    hint = hint_for(of_sqlite(), thread)
    assert hint is not None
    assert "check_same_thread=False" in hint
    assert [each for each in ("own", "loop") if f"--app-thread {each}" in hint] == ([named] if named else [])


def test_asyncio_run_on_the_loop() -> None:
    async def run() -> None:
        coroutine = asyncio.sleep(0)
        try:
            asyncio.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(run())
    assert "--app-thread own" in (hint_for(caught.value, "loop") or "")


def test_the_note_stands_in_log_and_page_once() -> None:
    error = of_sqlite()
    outer = ValueError("could not load")
    outer.__cause__ = error
    for _ in range(3):
        add_hint(outer)
    assert user_traceback(outer).count("--app-thread own") == 1
    assert str(describe(outer).failures[0].message).count("--app-thread own") == 1


@pytest.mark.parametrize("error", [
    ValueError("main"), RuntimeError("the thread has ended"), OSError("a different loop"), KeyError("main thread"),
    sqlite3.ProgrammingError("Cannot operate on a closed database."),
])
def test_other_errors_have_none(error: BaseException) -> None:
    assert hint_for(error) is None


def test_an_error_without_a_text() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise OSError(threading.get_ident())

    assert hint_for(Odd()) is None
