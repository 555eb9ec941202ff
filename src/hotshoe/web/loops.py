"""Event loops that are ours to make and to close, and what a process that only serves sets for itself."""

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
"""With Python's 5 ms an app thread that computes makes every other user wait 5 ms for each step of the loop."""

SAME_ORDER_S = 0.5
"""Supervisors signal the process and then its group: what comes so soon is no second order."""


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop where there is one, else asyncio's."""
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop of ours without waiting for threads that do not end, as ``asyncio.Runner`` would."""
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
def switching_fast(wanted: bool) -> Generator[None]:
    """Let threads take turns more often, so that one that computes does not hold up the loop."""
    before = sys.getswitchinterval()
    if wanted:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def ending_signals(end: Callable[[signal.Signals], None]) -> Generator[None]:
    """Call ``end`` for the first SIGINT or SIGTERM; a later one is a KeyboardInterrupt. In the main thread only.

    ``end`` runs in the signal handler: it may do no more than leave a note for the loop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        caught.append(time.monotonic())
        if len(caught) == 1:
            end(signal.Signals(number))
        elif caught[-1] - caught[0] > SAME_ORDER_S:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
