"""One document made by an app: its lane, its callbacks, its subscribers."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property, partial
from typing import Any

from bokeh.document import Document
from bokeh.events import ConnectionLost

from .. import seams
from ..base import logs
from ..base.app_tasks import AppTasks, owner
from ..base.counters import Counters
from ..base.errors import SessionGone, UnlockedChangeError
from ..base.thread_errors import AppThread
from ..base.threads import ThreadPool
from ..base.turns import Shares, TurnQueue
from ..base.users import user_name
from ..seams.panel import StockSession, adopt_panel
from ..seams.process import begin_own
from ..wire.messages import Outgoing
from .audience import Audience, LateChanges
from .blank import Blank, is_blank
from .callbacks import Callbacks, Unlocked
from .context import ServerContext, SessionContext, SessionVisit
from .failures import Reporter
from .lane import Lane, Section, current
from .outbox import Subscriber
from .pulse import BusySign, Pulse
from .snapshots import Snapshot, Snapshots


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the sessions of an app share, and how they behave; most of it is the same for a whole host."""

    loop: asyncio.AbstractEventLoop
    pool: ThreadPool | None
    """The threads that run app code; ``None`` runs it on the loop."""
    pulse: Pulse
    thread: AppThread = "pool"
    """What the app has chosen for its code; errors that are typical of it name the setting."""
    collapse: bool = True
    """Whether waiting changes of one control collapse, unless the session says otherwise."""
    dev: bool = False
    """Whether pages are sent tracebacks."""
    counters: Counters = field(default_factory=Counters)
    running_loop: bool = True
    """Whether the event loop counts as running in app code on threads."""
    shares: Shares = field(default_factory=Shares)
    """How much of the threads each user, address and app may use."""
    is_export: bool = False
    """Whether an author writes the documents to files: then there is no visitor whom the app could refuse."""


class Life(Enum):
    """The states of a session."""

    ALIVE = auto()
    GIVEN_UP = auto()
    """Its lane is stuck, so it takes no more work; it will be ended."""
    ENDING = auto()
    """It is being ended, or has ended."""


class Session:
    """A document, the lane in which all work on it happens, and the subscribers that see it.

    It can be made, and its app can build the document, before it has a visitor (``adopt``). Call the methods on the
    event loop only, unless their docstrings allow more.
    """

    def __init__(self, app_url: str, server_context: ServerContext, surroundings: Surroundings,
                 visit: SessionVisit | None = None) -> None:
        self.app_url = app_url
        self.dev = surroundings.dev
        self.collapse = surroundings.collapse
        self.is_export = surroundings.is_export
        self.document = seams.new_document()
        self.context = SessionContext(self, server_context)
        self.user: str | None = None
        self._address: str | None = None
        self.expiration_blocks = 0
        self.expiration_requested = False
        self.has_begun = False
        """Whether the hook for its creation has run."""
        self.created_s = self.unused_since_s = time.monotonic()
        self._life = Life.ALIVE
        self.loop: asyncio.AbstractEventLoop = surroundings.loop
        loop = self.loop
        self._pool = pool = surroundings.pool
        self._pulse = surroundings.pulse
        self.counters = surroundings.counters
        self._variables = contextvars.Context()
        self._variables.run(logs.note, app=app_url)
        self._own = self._variables.run(begin_own, self.document, app_url)
        self._running_loop = surroundings.running_loop
        self.lane = Lane(self, loop, pool, self._variables, self.counters, running_loop=self._running_loop)
        self._shares = surroundings.shares
        self._subscribers: set[Subscriber] = set()
        self._audience = Audience(self.document)
        self._busy_sign = BusySign(self._audience)
        self.reporter = Reporter(app_url, self._audience, dev=self.dev, thread=surroundings.thread)
        self._late = LateChanges(self.document)
        self._snapshots = Snapshots(self.document, loop)
        self.blank: Blank | None = None
        """There is one as long as the app has added nothing."""
        report = self.reporter.report
        self.tasks = AppTasks(partial(report, what="a task"))
        """The tasks that the app's code has made."""
        self._variables.run(owner.set, self.tasks)
        self._unlocked = Unlocked(self.document, self._variables, loop=loop, pool=pool,
                                  line=self.lane.line, report=report, running_loop=self._running_loop)
        self.callbacks = Callbacks(loop, self.lane, self._unlocked, self._subscribers, report=report)
        self._bind_document()
        if visit is not None:
            self._variables.run(self._adopt, visit, logs.known())

    def _bind_document(self) -> None:
        """Have the document tell this session what changes, and give it to callbacks."""
        seams.bind_session_context(self.document, self.context)
        seams.await_by(self.document, self.callbacks.run_once)
        self.document.callbacks.on_change_dispatch_to(self)
        self.document.on_message("hotshoe:too-big", self.reporter.note_too_big)

    @property
    def id(self) -> str:
        """The session's id. Raises ``EarlyReadError`` before the session is adopted."""
        return self.context.id

    async def adopt(self, visit: SessionVisit) -> None:
        """Give a session that was made without a visitor its id, user, request, payload and log fields.

        It happens between two sections, so that no callback sees half of it. ``context.early_read`` tells whether the
        app asked for a visitor before. Raises ``RuntimeError`` if the session already has a visitor, and
        ``SessionGone`` if it has ended.
        """
        log_fields = logs.known()

        def adopt() -> None:
            self._adopt(visit, log_fields)
            adopt_panel(self.document)

        await self.run(adopt)

    def _adopt(self, visit: SessionVisit, log_fields: Mapping[str, str]) -> None:
        # The log names the request that made the session, also for work that other requests cause later.
        self.context.adopt(visit)
        request = visit.request
        self.user = self.reporter.user = user_name(request.user)
        self._address = request.remote_ip if request.client_known else None
        self.set_building(False)
        self.reporter.session_id = visit.session_id
        logs.note(**{**log_fields, "session": logs.session_hash(visit.session_id), "user": self.user})

    def set_building(self, is_building: bool) -> None:
        """Set whether the work in the lane builds the session: work of live sessions comes first."""
        self._shares.assign(self.lane.line, self.app_url, self.user, self._address, is_build=is_building)

    @cached_property
    def stock(self) -> StockSession:
        """The session by stock's names, for apps and for Panel."""
        return StockSession(self)

    async def run(self, function: Callable[[], Any]) -> Any:
        """Run ``function`` with the document locked, and return its result. In code that has the lock it runs at once.

        Raises its exceptions, and ``SessionGone`` if the session ends before.
        """
        if self._section() is not None:
            result = function()
            return await result if inspect.isawaitable(result) else result
        result, error = await self.lane.outcome(function)
        if isinstance(error, Exception) and not isinstance(error, StopIteration | asyncio.CancelledError):
            raise error
        if error is not None:
            raise RuntimeError(f"locked code ended with {error!r}") from error
        return result

    async def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """``run``, under its name in stock, and with arguments."""
        return await self.run(partial(function, *args, **kwargs))

    def _section(self) -> Section | None:
        """The section of this session that this context runs in, if it is still open."""
        section = current.get()
        return section if section is not None and section.owner is self else None

    @property
    def is_locked_here(self) -> bool:
        """Whether this thread or task runs with the document locked."""
        return self._section() is not None

    def enter(self, section: Section) -> None:
        """Begin a section. Called by the lane, as is ``leave``."""
        seams.set_current_document(self.document)
        if self._late:
            self._snapshots.changed()  # the last one may have been made while the values changed
            self._report_all(self._late.tell(section, self._audience))
        self._pulse.watch(section, self._busy_sign.beat)

    def leave(self, section: Section, replies: Sequence[Outgoing]) -> None:
        """Send the changes of the section, with ``replies`` for the originator, and end it."""
        self._pulse.forget(section)
        self._audience.tell(section, replies)
        section.close()
        if not self.lane.has_waiting:
            self._busy_sign.clear()
        self._report_all(self._audience.catch_up_all())

    def _document_patched(self, event: Any) -> None:
        self._snapshots.changed()
        if self.blank is not None and not is_blank(self.document):
            self.blank.end()
            self.blank = None
        section = self._section()
        if section is None:
            self._refuse(event)
            return
        # A change under a hold is sent in a later section than that of its message: another client may have made it.
        echo = section.origin is not None and event.setter is section.origin
        self._audience.record(section, event, echo=echo)

    def write_events(self, events: Sequence[Any]) -> None:
        """Send changes that were made under a hold of Panel's, unknown to bokeh. May be called from any thread."""
        if self.is_locked_here:
            for event in seams.held_changes(events):
                self._document_patched(event)
        else:
            self.callbacks.run(partial(self.write_events, events))

    def notify(self, metadata: Mapping[str, Any]) -> None:
        """Send data to our script in all pages. May be called from any thread."""
        self._audience.notify(metadata)

    def _refuse(self, event: Any) -> None:
        if self.destroyed:
            return
        self._late.add(event)
        self.lane.run(lambda: None)
        raise UnlockedChangeError

    def _report_all(self, errors: Sequence[Exception]) -> None:
        for error in errors:
            self.reporter.report(error, "sending a change")

    def render(self, page: Callable[[], Any]) -> Any:
        """A page of the document as it is now. Runs with the document locked.

        The page loads what the document needs; if it changes before a viewer pulls it, the reply names the rest.
        """
        self.touch()
        if self.blank is not None:
            self.blank.look()
        self._snapshots.rendered()
        return page()

    def pull(self, subscriber: Subscriber) -> Snapshot:
        """The whole document for a subscriber, which then has missed nothing. Runs with the document locked."""
        if self.blank is not None:
            self.blank.look()
        snapshot = self._snapshots.take()
        self._audience.renew(subscriber)
        return snapshot

    def subscribe(self, subscriber: Subscriber) -> None:
        """Let ``subscriber`` join between two sections; ACK is the first thing it gets. Raises ``SessionGone``."""
        if self.destroyed:
            raise self.gone()
        self._subscribers.add(subscriber)
        self.counters.connections_opened.add()
        self.lane.run(partial(self._join, subscriber))
        self.callbacks.resume()

    def _join(self, subscriber: Subscriber) -> None:
        if subscriber in self._subscribers:
            subscriber.greet()
            self._audience.join(subscriber)
            if subscriber not in self._subscribers:  # it left just now, on the loop
                self._audience.leave(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Send the subscriber nothing more: it is gone."""
        if subscriber not in self._subscribers:
            return
        self._subscribers.discard(subscriber)
        self.counters.connections_closed.add()
        self._audience.leave(subscriber)
        self.touch()
        if not self.destroyed:
            self.callbacks.run(partial(self.document.callbacks.trigger_event, ConnectionLost()))

    def catch_up(self, subscriber: Subscriber) -> None:
        """Send the subscriber, which has read all it was sent, what it missed, if it missed something."""
        self.lane.run(partial(self._audience.catch_up, subscriber), self._caught_up)

    def _caught_up(self, errors: Any, error: BaseException | None) -> Sequence[Outgoing]:
        self.reporter.report(error, "sending what a viewer has missed")
        self._report_all(errors or ())
        return ()

    def touch(self) -> None:
        """Start the lease of a session without connections again."""
        self.unused_since_s = time.monotonic()

    @property
    def destroyed(self) -> bool:
        """Whether the session takes no more work: it is being ended, or has ended."""
        return self._life is not Life.ALIVE

    @property
    def busy(self) -> bool:
        """Whether locked work runs or waits."""
        return self.lane.busy

    @property
    def connection_count(self) -> int:
        """The number of websockets of the session."""
        return len(self._subscribers)

    def _session_callback_added(self, event: Any) -> None:
        self.callbacks.add(event.callback)

    def _session_callback_removed(self, event: Any) -> None:
        self.callbacks.remove(event.callback)

    def begin_to_end(self, unless: Callable[[], bool] | None = None) -> bool:
        """Stop all that could start new work. ``False`` if ``unless()`` is true or the session is being ended already.

        Runs with the document locked. The caller that gets ``True`` must end the session.
        """
        if self._life is Life.ENDING or (unless is not None and unless()):
            return False
        self._refuse_work(Life.ENDING)
        return True

    def _refuse_work(self, life: Life) -> None:
        self._life = life
        self.callbacks.stop()

    def abandon(self) -> None:
        """Replace the lane, in which something is stuck; work that waits gets ``SessionGone`` in the new one."""
        if self._life is Life.ALIVE:
            self._refuse_work(Life.GIVEN_UP)
        stuck, pool = self.lane, self._pool
        line: TurnQueue | None = stuck.line
        if pool is not None:
            pool.give_up(stuck.line)
            if (substitute := pool.substitute()) is not pool:  # a line belongs to one pool
                pool, line = substitute, None
        self.lane = Lane(self, self.loop, pool, self._variables.copy(), self.counters, line,
                         running_loop=self._running_loop)
        stuck.abandon(self.lane)

    def withdraw(self) -> bool:
        """Drop the work that waits for a thread. ``False`` if some has begun, or there is none."""
        return self.lane.withdraw()

    def dismantle(self) -> None:
        """Close the connections and take the document apart. Runs last, with the document locked."""
        while self._subscribers:
            self._subscribers.pop().end()
            self.counters.connections_closed.add()
        self._audience.clear()
        self._snapshots.forget()
        self._late.clear()
        self._unlocked.cancel()
        self._own.clear()
        self.tasks.release()
        try:
            seams.dismantle(self.document, self)
        finally:
            self.context.release()

    def gone(self) -> SessionGone:
        """The error for calls after the end of the session."""
        return self.context.gone()


def session_of(document: Document) -> Session | None:
    """The session of ``document``, until it is taken apart."""
    context = document.session_context
    owner = context.owner if isinstance(context, SessionContext) else None
    return owner if isinstance(owner, Session) else None
