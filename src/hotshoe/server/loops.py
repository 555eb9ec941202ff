"""Making and closing event loops; signals and the switch interval of a process that only serves."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

SWITCH_INTERVAL_S = 0.0005
"""With Python's 5 ms, a busy app thread delays each step of the loop, and so every other user, by 5 ms."""

SAME_ORDER_S = 0.5
"""Supervisors signal the process and then its group: a second signal within this time is not a second order."""


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop if uvloop is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop without waiting for stuck threads; ``asyncio.Runner`` would wait for them."""
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def is_current(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the caller runs on this loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


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


@contextmanager
def stop_signals(stop: Callable[[signal.Signals], None]) -> Generator[None]:
    """Call ``stop`` for the first SIGINT or SIGTERM; a later one raises KeyboardInterrupt. In the main thread only.

    ``stop`` runs in the signal handler: it must only set a flag that the loop reads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        caught.append(time.monotonic())
        if len(caught) == 1:
            stop(signal.Signals(number))
        elif caught[-1] - caught[0] > SAME_ORDER_S:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
