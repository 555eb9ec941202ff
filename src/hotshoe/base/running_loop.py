"""Lets ``asyncio.get_running_loop()`` return the server's loop in app code on threads.

The function is replaced, and not the thread's running loop set: so ``asyncio.run``, other loops and libraries that
refuse to work inside of a loop go on working there.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import _get_running_loop, current_task, events, tasks
from typing import Any

from .lent_loop import here

OUTSIDE = ("django.", "asgiref.", "playwright.", "panel.io.", "panel.widgets.")
"""Modules that see no running loop on these threads: they refuse to work inside of one, or ask whether they are on its
thread."""


def get_running_loop() -> asyncio.AbstractEventLoop:
    """The loop that runs on this thread, or the server's loop in app code. Raises ``RuntimeError`` if there is none."""
    loop = _get_running_loop()
    if loop is not None:
        return loop
    if (lent := here.loop) is not None and not _is_outside(sys._getframe(1).f_globals):  # noqa: SLF001
        if here.is_running:
            return lent
        raise RuntimeError('no running event loop: this app has the setting running-loop "no" (--running-loop)')
    raise RuntimeError("no running event loop")


def _current_task(loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Task[Any] | None:
    """The task that runs on this thread: in app code on a thread none, whatever the loop does meanwhile."""
    return None if here.loop is not None and _get_running_loop() is None else current_task(loop)


def _is_outside(variables: dict[str, Any]) -> bool:
    return str(variables.get("__name__")).startswith(OUTSIDE)


def install() -> None:
    """Replace asyncio's functions, for modules that are imported from now on."""
    asyncio.get_running_loop = events.get_running_loop = get_running_loop
    asyncio.current_task = tasks.current_task = _current_task
