"""A session's periodic, timeout and next-tick callbacks: timers on the event loop, work in the lane.

A periodic callback may pause while nobody sees the session; ``pausing.py`` says which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from .threads import post


class SessionCallback(Protocol):
    """What bokeh makes of ``add_periodic_callback`` and its siblings."""

    @property
    def id(self) -> str: ...
    @property
    def callback(self) -> Callable[[], Any]: ...


pausing_callbacks: WeakSet[SessionCallback] = WeakSet()
"""Those that pause while nobody sees their session, whichever session that is."""

Run = Callable[[Callable[[], Any], Callable[[], None]], None]
"""Runs a callback in the session, then calls what it was given as second."""


class Callbacks:
    """Adds and removes callbacks from any thread; fires them until ``stop``."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run_locked: Run, run_unlocked: Run, is_watched: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._runners: tuple[Run, Run] | None = (run_locked, run_unlocked)
        self._is_watched = is_watched
        self._paused: dict[str, SessionCallback] = {}
        self.pausing = False
        """Whether all periodic callbacks of the session pause while nobody sees it."""
        self._live: dict[str, SessionCallback] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._live)

    def add(self, callback: SessionCallback) -> None:
        """Begin to fire ``callback``: each ``period`` ms, once after ``timeout`` ms, or as soon as the lane is free."""
        if self._runners is None:
            return
        self._live[callback.id] = callback
        delay_ms = getattr(callback, "period", None) or getattr(callback, "timeout", None)
        if delay_ms is None:
            self._fire(callback)
        else:
            post(self._loop, self._arm, callback, self._loop.time() + delay_ms / 1000)

    def remove(self, callback: SessionCallback) -> None:
        """Fire ``callback`` no more. One that waits in the lane is skipped."""
        if self._live.pop(callback.id, None) is not None:
            post(self._loop, self._disarm, callback.id)

    def resume(self) -> None:
        """Somebody sees the session: what has paused is due now. Call it on the loop."""
        paused, self._paused = self._paused, {}
        for callback in paused.values():
            self._fire(callback)

    def stop(self) -> None:
        """Fire nothing any more, and let go of the session."""
        self._runners = None
        self._is_watched = bool
        self._live.clear()
        post(self._loop, self._disarm_all)

    def _arm(self, callback: SessionCallback, due_s: float) -> None:
        if callback.id in self._live:
            self._timers[callback.id] = self._loop.call_at(due_s, self._fire, callback)

    def _disarm(self, callback_id: str) -> None:
        self._paused.pop(callback_id, None)
        if (timer := self._timers.pop(callback_id, None)) is not None:
            timer.cancel()

    def _disarm_all(self) -> None:
        for callback_id in [*self._timers, *self._paused]:
            self._disarm(callback_id)

    def _fire(self, callback: SessionCallback) -> None:
        self._timers.pop(callback.id, None)
        if self._runners is None:
            return
        if self._pauses(callback):
            self._paused[callback.id] = callback
            return
        started_s = self._loop.time()
        run = self._runners[_is_unlocked(callback)]
        run(lambda: self._call(callback), lambda: self._fired(callback, started_s))

    def _pauses(self, callback: SessionCallback) -> bool:
        if not hasattr(callback, "period") or self._is_watched():
            return False
        return self.pausing or callback in pausing_callbacks

    def _call(self, callback: SessionCallback) -> Any:
        # It may have been removed while it waited for the lane.
        return callback.callback() if callback.id in self._live else None

    def _fired(self, callback: SessionCallback, started_s: float) -> None:
        period_ms = getattr(callback, "period", None)
        if period_ms is not None and callback.id in self._live:
            due_s = max(started_s + period_ms / 1000, self._loop.time())
            post(self._loop, self._arm, callback, due_s)


def _is_unlocked(callback: SessionCallback) -> bool:
    # ``without_document_lock`` marks the function, and bokeh's wrappers carry the mark on.
    return bool(getattr(callback.callback, "nolock", False))
