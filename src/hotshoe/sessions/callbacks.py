"""A session's periodic, timeout and next-tick callbacks: timers on the event loop, work in the lane or beside it.

A periodic callback may pause while the session has no connection.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol
from weakref import WeakSet

from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy

from .. import seams
from ..base.children import end_child, generation
from ..base.lent_loop import call_with
from ..base.threads import ThreadPool, post
from ..base.turns import TurnQueue
from ..wire.messages import Outgoing
from .lane import Lane, current


class SessionCallback(Protocol):
    """The objects that bokeh's ``add_periodic_callback`` and its siblings return."""

    @property
    def id(self) -> str: ...
    @property
    def callback(self) -> Callable[[], Any]: ...


pausing_callbacks: WeakSet[SessionCallback] = WeakSet()
"""The callbacks, of all sessions, that pause while their session has no connection."""

Report = Callable[[BaseException | None, str], object]


class Callbacks:
    """Adds and removes callbacks from any thread, and calls them when they are due, until ``stop``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lane: Lane, unlocked: Unlocked, watchers: Collection[object],
                 *, report: Report) -> None:
        self._loop = loop
        self._lane = lane
        self._unlocked = unlocked
        self._watchers = watchers
        self._report = report
        self.building = False
        """Whether the app's code is filling the document: callbacks without the lock then start after it."""
        self.pausing = False
        """Whether all periodic callbacks of the session pause while it has no connection."""
        self._stopped = False
        self._live: dict[str, SessionCallback] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._paused: dict[str, SessionCallback] = {}

    def __len__(self) -> int:
        return len(self._live)

    def add(self, callback: SessionCallback) -> None:
        """Call ``callback`` each ``period`` ms, once after ``timeout`` ms, or once as soon as the lane is free."""
        if self._stopped:
            return
        self._live[callback.id] = callback
        delay_ms = getattr(callback, "period", None) or getattr(callback, "timeout", None)
        if delay_ms is None:
            self._fire(callback)
        else:
            post(self._loop, self._arm, callback, self._loop.time() + delay_ms / 1000)

    def remove(self, callback: SessionCallback) -> None:
        """Do not call ``callback`` any more, not even if it waits in the lane already."""
        if self._live.pop(callback.id, None) is not None:
            post(self._loop, self._disarm, callback.id)

    def resume(self) -> None:
        """Call what has paused, since the session has a connection now. On the loop."""
        paused, self._paused = self._paused, {}
        for callback in paused.values():
            self._fire(callback)

    def stop(self) -> None:
        """Call nothing any more, and let go of the session."""
        self._stopped = True
        self._live.clear()
        post(self._loop, self._disarm_all)

    def run(self, function: Callable[[], Any], done: Callable[[], None] | None = None) -> None:
        """Run ``function`` in the lane, then ``done``. May be called from any thread."""

        def on_done(result: Any, error: BaseException | None) -> Sequence[Outgoing]:
            self._report(error, "a callback")
            if done is not None:
                done()
            return ()

        self._lane.run(function, on_done)

    def run_once(self, function: Callable[[], Any], is_unlocked: bool) -> None:
        """Run ``function`` in the lane, or without the lock. May be called from any thread."""
        if self._stopped:
            return
        if is_unlocked:
            self._run_unlocked(function, _nothing)
        else:
            self.run(function)

    def _run_unlocked(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        if not self.building:
            self._unlocked.begin(function, done)
            return

        def begin(result: Any, error: BaseException | None) -> Sequence[Outgoing]:
            if error is None:
                self._unlocked.begin(function, done)
            return ()

        # It may need what the app's code has not made yet. In stock, too, it starts after that code.
        self._lane.run(lambda: None, begin)

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
        if self._stopped:
            return
        if self._must_pause(callback):
            self._paused[callback.id] = callback
            return
        started_s = self._loop.time()
        run = self._run_unlocked if _is_unlocked(callback) else self.run
        run(lambda: self._call(callback), lambda: self._arm_again(callback, started_s))

    def _must_pause(self, callback: SessionCallback) -> bool:
        if not hasattr(callback, "period") or self._watchers:
            return False
        return self.pausing or callback in pausing_callbacks

    def _call(self, callback: SessionCallback) -> Any:
        # It may have been removed while it waited for the lane.
        return callback.callback() if callback.id in self._live else None

    def _arm_again(self, callback: SessionCallback, started_s: float) -> None:
        period_ms = getattr(callback, "period", None)
        if period_ms is not None and callback.id in self._live:
            due_s = max(started_s + period_ms / 1000, self._loop.time())
            post(self._loop, self._arm, callback, due_s)


def _nothing() -> None:
    """There is nothing to do when it is done."""


def _is_unlocked(callback: SessionCallback) -> bool:
    # ``without_document_lock`` marks the function, and bokeh's wrappers carry the mark on.
    return bool(getattr(callback.callback, "nolock", False))


class Unlocked:
    """Runs unlocked callbacks of one document: functions on threads, coroutines on the loop.

    In them, ``curdoc()`` is a proxy that can only schedule locked work.
    """

    def __init__(self, document: Document, variables: contextvars.Context, *, loop: asyncio.AbstractEventLoop,
                 pool: ThreadPool | None, line: TurnQueue, report: Report, running_loop: bool = True) -> None:
        self._document = document
        self._variables = variables
        self._loop = loop
        self._pool = pool
        self._line = line
        self._running_loop = running_loop
        self._report: Report | None = report
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        """Run ``function`` soon, and then ``done``. May be called from any thread."""
        job = partial(self._variables.copy().run, self._work, function, done)
        if self._pool is not None:
            self._pool.start(partial(call_with, self._loop, self._running_loop, job), self._line)
        else:
            post(self._loop, job)

    def cancel(self) -> None:
        """Cancel the coroutines, and let go of the session."""
        self._report = None
        for task in list(self._tasks):
            post(self._loop, task.cancel)

    def _work(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        proxy = UnlockedDocumentProxy(self._document)
        current.set(None)
        seams.set_current_document(proxy)
        born = generation()
        try:
            result = function()
        except BaseException as error:
            end_child(born, error)
            self._report_error(error)
            done()
            return
        end_child(born, None)
        if inspect.isawaitable(result):
            post(self._loop, self._start_task, self._await(result, done, proxy), contextvars.copy_context())
        else:
            done()

    def _start_task(self, coroutine: Coroutine[Any, Any, None], variables: contextvars.Context) -> None:
        task = self._loop.create_task(coroutine, context=variables)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _await(self, awaitable: Awaitable[Any], done: Callable[[], None], proxy: object) -> None:
        # The context has ``proxy`` as a weak reference only, so this coroutine keeps it alive.
        born = generation()
        try:
            await awaitable
            end_child(born, None)
        except BaseException as error:
            end_child(born, error)
            self._report_error(error)
        finally:
            done()

    def _report_error(self, error: BaseException) -> None:
        if self._report is not None:
            self._report(error, "an unlocked callback")
