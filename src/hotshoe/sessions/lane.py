"""The queue of one session's locked work: one piece at a time, in the order of arrival.

While a piece runs, on a thread or awaited on the loop, the session's document is locked; there is no other lock.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable

from . import housekeeping
from .threads import ThreadPool, post

log = logging.getLogger("hotshoe.lane")

Work = Callable[[], Awaitable[None] | None]
"""A piece of locked work. It must not raise. If it returns an awaitable, the lane is held until that is done."""

TURN = 64
"""Pieces one lane may run before other lanes get the thread."""


class Lane:
    """Runs work on ``pool``, or on ``loop`` if there is none, inside ``context``."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, pool: ThreadPool | None, context: contextvars.Context
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._context = context
        self._mutex = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._busy = False
        self._heir: Lane | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether work runs or waits."""
        return self._busy

    @property
    def has_waiting(self) -> bool:
        """Whether work waits for its turn."""
        return bool(self._waiting)

    def submit(self, work: Work) -> None:
        """Queue ``work``. May be called from any thread."""
        with self._mutex:
            heir = self._heir
            if heir is None:
                self._waiting.append(work)
                if self._busy:
                    return
                self._busy = True
        if heir is None:
            self._dispatch()
        else:
            heir.submit(work)

    def abandon(self, heir: Lane) -> None:
        """Give ``heir`` what waits and what is still to come.

        What runs is left to end by itself; an awaited callback is cancelled. Call it on the loop.
        """
        with self._mutex:
            self._heir = heir
            waiting, self._waiting = self._waiting, deque()
        for work in waiting:
            heir.submit(work)
        if self._task is not None:
            post(self._loop, self._task.cancel)

    def _dispatch(self) -> None:
        if self._pool is not None:
            self._pool.submit(self._drain)
        else:
            post(self._loop, self._drain)

    def _drain(self) -> None:
        for _ in range(TURN):
            with self._mutex:
                if not self._waiting:
                    self._busy = False
                    return
                work = self._waiting.popleft()
            try:
                awaitable = self._context.run(work)
            except BaseException:  # else the session would stand still for ever
                log.exception("locked work failed")
                continue
            finally:
                housekeeping.tidy()
            if awaitable is not None:
                post(self._loop, self._hold, awaitable)
                return
        self._dispatch()

    def _hold(self, awaitable: Awaitable[None]) -> None:
        self._task = self._loop.create_task(_completed(awaitable), context=self._context)
        self._task.add_done_callback(self._release)

    def _release(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("locked work failed", exc_info=error)
        self._dispatch()


async def _completed(awaitable: Awaitable[None]) -> None:
    await housekeeping.attended(awaitable)
