"""The tasks that the code of a session has made: they end with it, and it hears of errors that nobody looks at.

Tasks that a library makes for itself, such as that of a connection, are not among them: other sessions may share it.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, partial
from types import FrameType
from typing import Any

from .children import end_child, generation
from .tracebacks import is_called_by_app, is_own


class AppTasks:
    """Tasks of app code. ``report`` is called with the exception of a task that nobody has awaited, on any thread."""

    def __init__(self, report: Callable[[BaseException], object]) -> None:
        self._report: Callable[[BaseException], object] | None = report
        self._tasks: set[asyncio.Task[Any]] = set()
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._tasks)

    def new(self, loop: asyncio.AbstractEventLoop, coroutine: Any, options: dict[str, Any]) -> asyncio.Task[Any]:
        """Make a task of ``loop``, and keep it until it is done; once all have ended, it is cancelled at once.

        May be called from any thread.
        """
        task: asyncio.Task[Any] = _task_class(asyncio.Task)(coroutine, loop=loop, **options)
        task.owner = self  # type: ignore[attr-defined]
        self._tasks.add(task)
        task.add_done_callback(partial(self._forget, generation()))
        if self._has_ended:
            task.cancel()
        return task

    def _forget(self, born: int, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if born != generation():  # not to be asked otherwise: the error would count as looked at
            end_child(born, None if task.cancelled() else task.exception())

    @staticmethod
    def are_to_have(coroutine: Any, frame: FrameType | None) -> bool:
        """Whether a task for ``coroutine`` is the app's own: by its code, or by that which makes it in ``frame``."""
        code = getattr(coroutine, "cr_code", None)
        return (code is not None and is_own(code.co_filename)) or is_called_by_app(frame)

    def report(self, error: BaseException) -> bool:
        """Report the error of a task. Returns ``False`` if the session has ended."""
        if self._report is None:
            return False
        self._report(error)
        return True

    async def end(self, patience_s: float) -> int:
        """Cancel the tasks, and wait until they are done, but no longer than ``patience_s``. Call it on their loop.

        While they clean up, they may make tasks; what these leave is cancelled next. Returns how many tasks still run.
        """
        end_s, own, told = time.monotonic() + patience_s, {asyncio.current_task()}, set[asyncio.Task[Any]]()
        is_late = False
        while tasks := self._tasks - own:
            new = tasks - told
            for task in new:
                task.cancel()
            told |= new
            if is_late:
                break
            await asyncio.wait(new or tasks, timeout=max(end_s - time.monotonic(), 0))
            is_late = time.monotonic() >= end_s
        self._has_ended = True
        return len(self._tasks - own)

    def release(self) -> None:
        """Let go of the session: contexts of timers may keep this object."""
        self._report = None


@cache
def _task_class(base: type[Any]) -> type[Any]:
    """A class of tasks that know their owner. Its base may change: nest_asyncio replaces ``asyncio.Task``."""
    return type("AppTask", (base,), {"owner": None})


owner: ContextVar[AppTasks | None] = ContextVar("hotshoe_tasks", default=None)
"""Whose code runs in this context: its new tasks belong to that session."""


def context_without_owner() -> contextvars.Context:
    """A copy of this context, in which new tasks are the server's own."""
    context = contextvars.copy_context()
    context.run(owner.set, None)
    return context
