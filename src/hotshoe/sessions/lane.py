"""The lane of a session: the queue of its locked work, one piece at a time, in the order of arrival.

Each piece runs in a section, on a thread or awaited on the loop. While a section is open, the session's document is
locked; there is no other lock. Each change is encoded when it is made, and sent when the section ends, or earlier if
the section takes long.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol

from ..base import housekeeping
from ..base.children import end_child, generation
from ..base.counters import Counters
from ..base.errors import SessionGone
from ..base.lent_loop import call_with
from ..base.threads import ThreadPool, post
from ..base.turns import TurnQueue
from ..wire.messages import Outgoing
from .events import EncodedEvent
from .outbox import Subscriber

log = logging.getLogger("hotshoe.lane")

TURN = 64
"""How many pieces of work one lane runs before it lets other lanes have the thread."""
TURN_S = 0.02
"""How long it does so at most while others wait, unless one piece takes longer: an app may have only one thread."""

OnDone = Callable[[Any, BaseException | None], Sequence[Outgoing]]
"""Called with the result of a piece of work and what it raised, while the lock is held; returns replies to the
originator."""

Outcome = tuple[Any, BaseException | None]
"""The result of a piece of work, and what it raised."""

current: ContextVar[Section | None] = ContextVar("hotshoe_section", default=None)
"""The section that this context runs in. A task that outlives its section still has it here, closed."""


class LaneOwner(Protocol):
    """The session of a lane, as the lane sees it."""

    @property
    def destroyed(self) -> bool: ...

    def gone(self) -> SessionGone:
        """The error for work after the end of the session."""

    def enter(self, section: Section) -> None:
        """Begin a section."""

    def leave(self, section: Section, replies: Sequence[Outgoing]) -> None:
        """Send the changes of a section, with ``replies`` for the originator, and close it."""


class Section:
    """Collects the changes of one piece of locked work of ``owner``.

    ``origin`` is the subscriber whose message is handled, if it is a message.
    """

    __slots__ = ("events", "mutex", "origin", "owner", "started_s", "told_s")

    def __init__(self, owner: LaneOwner, origin: Subscriber | None = None) -> None:
        self.owner: LaneOwner | None = owner
        self.origin = origin
        self.events: list[EncodedEvent] = []
        self.mutex = threading.Lock()
        self.started_s = self.told_s = time.monotonic()

    def add(self, event: EncodedEvent) -> None:
        """Add a change."""
        with self.mutex:
            self.events.append(event)

    def take(self) -> list[EncodedEvent]:
        """Take the changes that were not sent yet. Call it with ``mutex`` held."""
        events, self.events = self.events, []
        self.told_s = time.monotonic()
        return events

    def close(self) -> None:
        """Give up the lock. The context keeps the section, but the section does not keep the session."""
        with self.mutex:  # the loop may be looking at the section just now
            self.owner = self.origin = None


class Work:
    """A piece of locked work: a function, what to call with its result, and the subscriber whose message it handles."""

    __slots__ = ("_even_if_ended", "_function", "_on_done", "_on_told", "_origin", "_owner", "submitted_s")

    def __init__(self, owner: LaneOwner, function: Callable[[], Any], on_done: OnDone,
                 on_told: Callable[[Outcome], None] | None, origin: Subscriber | None, even_if_ended: bool) -> None:
        self._owner = owner
        self._function = function
        self._on_done = on_done
        self._on_told = on_told
        self._origin = origin
        self._even_if_ended = even_if_ended
        self.submitted_s = time.monotonic()

    def __call__(self) -> Awaitable[None] | None:
        """Run it. What it returns is the rest of the work, which must be awaited."""
        owner = self._owner
        if owner.destroyed and not self._even_if_ended:
            error = owner.gone()
            self._on_done(None, error)
            self._tell(None, error)
            return None
        section = Section(owner, self._origin)
        current.set(section)
        owner.enter(section)
        born = generation()
        try:
            result = self._function()
            # In here, since an exception that was raised in this thread to end the function may come after its end: at
            # the latest in this call.
            must_wait = inspect.isawaitable(result)
        except BaseException as raised:
            end_child(born, raised)
            self._end(section, None, raised)
            return None
        end_child(born, None)
        if must_wait:
            return self._await(section, result)
        self._end(section, result, None)
        return None

    async def _await(self, section: Section, awaitable: Awaitable[Any]) -> None:
        born = generation()
        try:
            result = await awaitable
        except BaseException as error:
            end_child(born, error)
            self._end(section, None, error)
        else:
            end_child(born, None)
            self._end(section, result, None)

    def _end(self, section: Section, result: Any, error: BaseException | None) -> None:
        replies: Sequence[Outgoing] = ()
        try:
            replies = self._on_done(result, error)
        finally:
            try:
                self._owner.leave(section, replies)
            finally:
                self._tell(result, error)

    def _tell(self, result: Any, error: BaseException | None) -> None:
        if self._on_told is not None:
            self._on_told((result, error))


def no_replies(result: Any, error: BaseException | None) -> Sequence[Outgoing]:
    """``OnDone`` of work that needs none."""
    return ()


class Lane:
    """Runs the work of ``owner`` inside ``context``: on ``pool``, in the turns of ``line``, or on ``loop``.

    With ``running_loop``, ``loop`` counts as running in work on threads, too.
    """

    def __init__(self, owner: LaneOwner, loop: asyncio.AbstractEventLoop, pool: ThreadPool | None,
                 context: contextvars.Context, counters: Counters, line: TurnQueue | None = None, *,
                 running_loop: bool = True) -> None:
        self._owner = weakref.ref(owner)  # the session has its lane, and must be freed without a search for cycles
        self.line = TurnQueue(self._owner) if line is None else line
        """The place of the session among those that wait for a thread."""
        self._loop = loop
        self._pool = pool
        self._running_loop = running_loop
        self._context = context
        self._counters = counters
        self._mutex = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._busy = False
        self._dispatched_s = 0.0
        self._successor: Lane | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether work runs or waits."""
        return self._busy

    @property
    def has_waiting(self) -> bool:
        """Whether work waits for its turn."""
        return bool(self._waiting)

    def run(self, function: Callable[[], Any], on_done: OnDone = no_replies, *,
            on_told: Callable[[Outcome], None] | None = None, origin: Subscriber | None = None,
            even_if_ended: bool = False) -> None:
        """Queue ``function``; if it returns an awaitable, that is awaited. May be called from any thread.

        ``on_told`` is called after all changes have been sent, without the lock. Once the session is ``destroyed``,
        only work with ``even_if_ended`` still runs; other work ends with ``SessionGone``.
        """
        owner = self._owner()
        assert owner is not None
        self.submit(Work(owner, function, on_done, on_told, origin, even_if_ended))

    async def outcome(self, function: Callable[[], Any], *, even_if_ended: bool = False) -> Outcome:
        """Run ``function`` and return its outcome. Never raises what ``function`` raises. Call it on the loop."""
        told: asyncio.Future[Outcome] = self._loop.create_future()
        on_told = partial(post, self._loop, _resolve, told)
        self.run(function, on_told=on_told, even_if_ended=even_if_ended)
        return await told

    def abandon(self, successor: Lane) -> None:
        """Give ``successor`` the work that waits, and all that is submitted later. Call it on the loop.

        Work that runs on a thread is left to end by itself; an awaited callback is cancelled.
        """
        with self._mutex:
            self._successor = successor
            waiting, self._waiting = self._waiting, deque()
        for work in waiting:
            successor.submit(work)
        if self._task is not None:
            post(self._loop, self._task.cancel)

    def withdraw(self) -> bool:
        """Drop the work that waits, without telling anybody, if the lane itself still waits for a thread."""
        if self._pool is None or not self._pool.forget(self._drain, self.line):
            return False
        with self._mutex:
            self._waiting.clear()
            self._busy = False
        return True

    def submit(self, work: Work) -> None:
        """Queue ``work``. May be called from any thread."""
        with self._mutex:
            successor = self._successor
            if successor is None:
                self._waiting.append(work)
                if self._busy:
                    return
                self._busy = True
        if successor is None:
            self._dispatch()
        else:
            successor.submit(work)

    def _dispatch(self) -> None:
        self._dispatched_s = time.monotonic()
        if self._pool is not None:
            self._pool.start(self._drain, self.line)
        else:
            post(self._loop, self._drain)

    def _drain(self) -> None:
        began_s = time.monotonic()
        self._counters.thread_waits.add(began_s - self._dispatched_s)
        for number in range(TURN):
            if number and time.monotonic() - began_s > TURN_S and (self._pool is None or self._pool.waiting_count):
                break
            if number and self._pool is not None:
                asyncio.set_event_loop(self._loop)  # the work before may have replaced it
            with self._mutex:
                if not self._waiting:
                    self._busy = False
                    return
                work = self._waiting.popleft()
            self._counters.lane_waits.add(time.monotonic() - work.submitted_s)
            try:
                awaitable = (
                    self._context.run(work) if self._pool is None
                    else call_with(self._loop, self._running_loop, self._context.run, work))
            except BaseException:  # without this, the session would stand still for ever
                log.exception("locked work failed")
                continue
            finally:
                housekeeping.tidy()
            if awaitable is not None:
                post(self._loop, self._await_on_loop, awaitable)
                return
        self._dispatch()

    def _await_on_loop(self, awaitable: Awaitable[None]) -> None:
        self._task = self._loop.create_task(housekeeping.await_with_keepers(awaitable), context=self._context)
        self._task.add_done_callback(self._go_on)

    def _go_on(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("locked work failed", exc_info=error)
        self._dispatch()


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():  # it is done if the caller was cancelled
        future.set_result(outcome)
