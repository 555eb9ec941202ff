"""Making and closing event loops; signals and the switch interval of a process that only serves."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..base import children
from ..base.errors import ConfigError
from ..base.lent_loop import keep_running
from ..base.logs import PacedLog, origin_of
from ..base.tracebacks import user_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

_log = logging.getLogger("hotshoe.server")
_paced = PacedLog(_log)
_T = TypeVar("_T")

SWITCH_INTERVAL_S = 0.0005
"""With Python's 5 ms, a busy app thread delays each step of the loop, and so every other user, by 5 ms."""

SAME_ORDER_S = 0.5
"""Supervisors signal the process and then its group: a second signal within this time is not a second order."""

RESTORE_EVERY_S = 1.0


def new_loop(kind: str = "auto") -> asyncio.AbstractEventLoop:
    """A loop by its name in ``--loop``: with ``auto`` uvloop's if uvloop is installed, else asyncio's.

    App code can't stop it, nor change how it works.
    """
    loop: asyncio.AbstractEventLoop
    if kind == "asyncio" or (kind == "auto" and find_spec("uvloop") is None):  # there is none for Windows
        loop = asyncio.new_event_loop()
    else:
        import uvloop

        loop = uvloop.new_event_loop()
    keep_running(loop)
    return loop


def check_loop(kind: str) -> None:
    """Raise ``ConfigError`` if ``new_loop`` can't make this kind of loop."""
    if kind == "uvloop" and find_spec("uvloop") is None:
        raise ConfigError("--loop uvloop: uvloop is not installed (pip install uvloop); use --loop asyncio")


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop without waiting for stuck threads; ``asyncio.Runner`` would wait for them."""
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            run_to_end(loop, loop.create_task(asyncio.wait(tasks, timeout=1.0)))
        run_to_end(loop, loop.create_task(loop.shutdown_asyncgens()))
    finally:
        loop.close()


@contextmanager
def short_switch_interval(wanted: bool) -> Generator[None]:
    """Let threads switch more often, so that a busy one does not delay the loop."""
    before = sys.getswitchinterval()
    if wanted:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a server. SIGHUP, when its terminal is closed, is not among them under ``nohup``."""
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN:
        return signal.SIGINT, signal.SIGTERM
    return signal.SIGINT, signal.SIGTERM, hangup


def run_to_end(loop: asyncio.AbstractEventLoop, task: asyncio.Future[_T], must_end: Callable[[], bool] = bool) -> _T:
    """Run the loop until ``task`` is done, and return its result.

    asyncio lets ``SystemExit`` and ``KeyboardInterrupt`` of any task, such as one that an app has made, end the loop.
    Here they end only that task, unless ``must_end()``.
    """
    born = children.generation()
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            children.end_child(born, error)  # of a task
            if task.done() or must_end():
                raise
            _paced.error("An app's task or callback on the event loop has ended with %s; the server goes on\n%s",
                         type(error).__name__, user_traceback(error).rstrip(), kind=origin_of(error))


class StopSignals:
    """Calls ``stop`` for the first of ``ending_signals``; a later one raises KeyboardInterrupt.

    It works in the main thread only. ``stop`` runs in the signal handler: it must only set a flag that the loop reads.
    As a context, it sets the handlers and restores those before.
    """

    def __init__(self, stop: Callable[[signal.Signals], None]) -> None:
        self._stop = stop
        self._caught: list[float] = []
        self._handler = self._handle
        self._before: dict[signal.Signals, Any] = {}
        self.is_forced = False
        """Whether a second signal has come."""

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._caught.append(time.monotonic())
        if len(self._caught) == 1:
            self._stop(signal.Signals(number))
        elif self._caught[-1] - self._caught[0] > SAME_ORDER_S:
            self.is_forced = True
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handler) for number in ending_signals()}
            children.register(self)
        return self

    def after_fork(self) -> None:
        """In a child, a signal must not stop the server, but the child. It ends with the server."""
        children.use_default_signals()
        children.end_with_server()

    def __exit__(self, *error: object) -> None:
        children.unregister(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def restore(self) -> None:
        """Set the handlers again, if an app has replaced them. Call it in the main thread."""
        if self._caught:
            return
        for number in self._before:
            if signal.getsignal(number) is not self._handler:
                signal.signal(number, self._handler)
                _log.warning("An app has replaced the handler of %s, which stops the server: the server's own handler "
                             "is back", number.name)

    async def keep(self) -> None:
        """Restore the handlers, and close the standard descriptors' gaps, every second until cancelled."""
        while True:
            await asyncio.sleep(RESTORE_EVERY_S)
            self.restore()
            fill_descriptors()


def fill_descriptors() -> None:
    """Let each standard descriptor that an app has closed lead nowhere.

    Otherwise the next connection would get its number, and all that is printed.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            if (opened := os.open(os.devnull, os.O_RDWR)) != descriptor:  # the lowest free number is taken
                os.dup2(opened, descriptor)
                os.close(opened)
            _log.warning("An app has closed the descriptor %d: it leads nowhere now", descriptor)
