"""A document's periodic, timeout and next-tick callbacks, as timers on the event loop."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

_log = logging.getLogger(__name__)

Run = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function with the document locked."""


class CallbackTimers:
    """Calls callbacks until ``stop``. ``add`` and ``remove`` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, run: Run) -> None:
        self._loop = loop
        self._run = run
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: set[str] = set()
        self._stopped = False

    def add(self, callback: Any) -> None:
        """Begin to call ``callback``: each ``period`` ms, once after ``timeout`` ms, or at once."""
        self._post(self._add, callback)

    def remove(self, callback: Any) -> None:
        """Stop calling ``callback``."""
        self._post(self._remove, callback.id)

    def stop(self) -> None:
        """Stop calling all. Has to run on the event loop."""
        self._stopped = True
        for callback_id in [*self._tasks]:
            self._remove(callback_id)

    def _post(self, function: Callable[[Any], None], argument: Any) -> None:
        if not self._stopped:
            self._loop.call_soon_threadsafe(function, argument)

    def _add(self, callback: Any) -> None:
        if self._stopped or callback.id in self._tasks:
            return
        task = self._loop.create_task(self._fire(callback))
        self._tasks[callback.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(callback.id, None))

    def _remove(self, callback_id: str) -> None:
        task = self._tasks.pop(callback_id, None)
        if task is not None and (self._stopped or callback_id not in self._running):
            task.cancel()

    async def _fire(self, callback: Any) -> None:
        period_s = getattr(callback, "period", 0) / 1000
        await asyncio.sleep(period_s or getattr(callback, "timeout", 0) / 1000)
        while not self._stopped:
            due_s = self._loop.time() + period_s
            await self._call(callback)
            if not period_s or callback.id not in self._tasks:
                return
            await asyncio.sleep(max(0, due_s - self._loop.time()))

    async def _call(self, callback: Any) -> None:
        self._running.add(callback.id)
        try:
            result = await self._run(callback.callback)
            if inspect.isawaitable(result):
                await result
        except Exception:
            _log.exception("A callback of the document failed")
        finally:
            self._running.discard(callback.id)
