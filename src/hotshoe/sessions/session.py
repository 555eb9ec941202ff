"""One document made by an app: its lane, its callbacks, its subscribers."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Any

from .. import log_fields, seams
from ..apps import Request
from ..errors import SessionGone, UnlockedChangeError
from ..panel_seams import StockSession
from ..wire.messages import Outgoing
from .audience import Audience
from .busy import BusySign
from .callbacks import Callbacks
from .connection import SESSION_ENDED, Connection
from .context import ServerContext, SessionContext
from .encoding import Snapshot
from .failures import user_name
from .lane import Lane
from .late import LateChanges
from .reporter import Reporter
from .section import Section, current
from .snapshots import Snapshots
from .surroundings import Surroundings
from .threads import post
from .unlocked import Unlocked
from .work import Settle, Work

Outcome = tuple[Any, BaseException | None]


class Life(Enum):
    """How far a session has come."""

    ALIVE = auto()
    GIVEN_UP = auto()
    """Its lane is stuck, so it takes no more work; somebody is about to end it."""
    ENDING = auto()
    """Somebody ends it, or has ended it."""


class Session:
    """A document, the lane in which all work on it happens, and the connections that see it.

    Methods may be called on the event loop only, unless they say otherwise.
    """

    def __init__(
        self,
        session_id: str,
        app_url: str,
        server_context: ServerContext,
        request: Request,
        payload: Mapping[str, Any],
        surroundings: Surroundings,
    ) -> None:
        self.id = session_id
        self.app_url = app_url
        self.dev = surroundings.dev
        self.collapse = surroundings.collapse
        self.document = seams.new_document()
        self.context = SessionContext(self, server_context, request, payload)
        self.stock = StockSession(self)
        self.user = user_name(request.user)
        self.building = False
        self.expiration_blocks = 0
        self.expiration_requested = False
        self.unused_since_s = time.monotonic()
        self._life = Life.ALIVE
        self._loop = loop = surroundings.loop
        self._pool = pool = surroundings.pool
        self._pulse = surroundings.pulse
        self._variables = contextvars.Context()
        # The request is the one that made the session, whatever runs in it later.
        fields = {**log_fields.known(), "session": session_id, "app": app_url, "user": self.user}
        self._variables.run(partial(log_fields.note, **fields))
        self._lane = Lane(loop, pool, self._variables)
        self._callbacks = Callbacks(loop, self._run_callback, self._run_unlocked, lambda: bool(self._connections))
        self._connections: set[Connection] = set()
        self._audience = Audience(self.document)
        self._busy_sign = BusySign(self._audience)
        self._reporter = Reporter(session_id, app_url, self.user, self._audience, dev=self.dev)
        self._late = LateChanges(self.document)
        self._snapshots = Snapshots(self.document, loop)
        self._unlocked = Unlocked(self.document, self._variables, loop=loop, pool=pool, report=self.report)
        seams.bind_session_context(self.document, self.context)
        self.document.callbacks.on_change_dispatch_to(self)

    # -- locked work -------------------------------------------------------------------------------------------

    def lock(
        self,
        function: Callable[[], Any],
        settle: Settle,
        *,
        left: Callable[[], None] | None = None,
        origin: Connection | None = None,
        rites: bool = False,
    ) -> None:
        """Queue ``function`` to run with the document locked. May be called from any thread.

        ``settle`` is called with what came of it, still with the lock; ``left`` when all it changed has been told.
        """
        self._lane.submit(Work(self, function, settle, left, origin, rites))

    async def outcome(self, function: Callable[[], Any], *, rites: bool = False) -> Outcome:
        """Run ``function`` with the document locked; what it gave (awaited, if it can be) and what it raised.

        Never raises what ``function`` raises. ``rites`` are what still runs once the session is ``destroyed``.
        """
        done: asyncio.Future[Outcome] = self._loop.create_future()

        ended: list[Outcome] = []

        def settle(result: Any, error: BaseException | None) -> Sequence[Outgoing]:
            ended.append((result, error))
            return ()

        def left() -> None:
            post(self._loop, _resolve, done, ended[0])

        self.lock(function, settle, left=left, rites=rites)
        return await done

    async def run(self, function: Callable[[], Any]) -> Any:
        """Run ``function`` with the document locked; its result. In code that has the lock it runs at once.

        Raises what it raises, and ``SessionGone`` if the session ends before its turn.
        """
        if self._section() is not None:
            result = function()
            return await result if inspect.isawaitable(result) else result
        result, error = await self.outcome(function)
        if isinstance(error, Exception) and not isinstance(error, StopIteration | asyncio.CancelledError):
            raise error
        if error is not None:
            raise RuntimeError(f"locked code ended with {error!r}") from error
        return result

    async def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run ``function`` with the document locked and await what it returns (the name that stock has)."""
        return await self.run(partial(function, *args, **kwargs))

    def _section(self) -> Section | None:
        """The section that this context runs in, if it is one of this session and still open."""
        section = current.get()
        return section if section is not None and section.session is self else None

    @property
    def is_locked_here(self) -> bool:
        """Whether this thread or task runs with the document locked."""
        return self._section() is not None

    def enter(self, origin: Connection | None) -> Section:
        """Begin a section. Called by the work of this session, in its lane, as is ``leave``."""
        section = Section(self, origin)
        current.set(section)
        seams.set_current_document(self.document)
        if self._late:
            self._tell_late(section)
        self._pulse.watch(section, self._busy_sign.beat)
        return section

    def leave(self, section: Section, replies: Sequence[Outgoing]) -> None:
        """Tell what the section has changed, with ``replies`` for the originator, and end it."""
        self._pulse.forget(section)
        self._audience.tell(section, replies)
        section.close()
        if not self._lane.has_waiting:
            self._busy_sign.clear()
        if self._audience.has_laggards:
            self._report_untold(self._audience.catch_up_all())

    # -- changes of the document -------------------------------------------------------------------------------

    def _document_patched(self, event: Any) -> None:
        self._snapshots.changed()
        section = self._section()
        if section is None:
            self._refuse(event)
            return
        # Not just any client's: under a hold, a change is told in a later section than that of its message.
        echo = section.origin is not None and event.setter is section.origin
        self._audience.record(section, event, echo=echo)

    def write_events(self, events: Sequence[Any]) -> None:
        """Tell of changes that were made under a hold which bokeh does not know. May be called from any thread."""
        if self.is_locked_here:
            for event in seams.held_changes(events):
                self._document_patched(event)
        else:
            self._run_callback(partial(self.write_events, events), _nothing)

    def _refuse(self, event: Any) -> None:
        if self.destroyed:
            return
        self._late.add(event)
        self.lock(_nothing, _ignore)
        raise UnlockedChangeError(
            "the document was changed without its lock: use doc.add_next_tick_callback(f) or "
            "hotshoe.locked_callback(doc) to change it from a thread or an unlocked callback"
        )

    def _tell_late(self, section: Section) -> None:
        self._snapshots.changed()  # the last one may have been made while the values changed
        self._report_untold(self._late.tell(section, self._audience))

    def _report_untold(self, errors: Sequence[Exception]) -> None:
        self._reporter.report_all(errors, "sending a change")

    def render(self, page: Callable[[], Any]) -> Any:
        """A page of the document as it is now. Runs with the document locked.

        The page loads what the document needs; if it changes before a viewer pulls it, the reply names the rest.
        """
        self._snapshots.rendered()
        self.touch()
        return page()

    def pull(self, connection: Connection) -> Snapshot:
        """The whole document for a connection, which thereby has missed nothing. Runs with the document locked."""
        snapshot = self._snapshots.take()
        self._audience.renew(connection)
        return snapshot

    # -- connections -------------------------------------------------------------------------------------------

    def attach(self) -> Connection:
        """Subscribe a new connection; it joins between two sections, and ACK is the first thing it gets."""
        if self.destroyed:
            raise SessionGone(f"session {self.id} has ended")
        connection = Connection(self, self._loop)
        self._connections.add(connection)
        self.lock(partial(self._subscribe, connection), _ignore)
        self._callbacks.resume()
        return connection

    def _subscribe(self, connection: Connection) -> None:
        if connection in self._connections:
            connection.greet()
            self._audience.join(connection)
            if connection not in self._connections:  # it left just now, on the loop
                self._audience.leave(connection)

    def detach(self, connection: Connection) -> None:
        """The connection is gone: it gets nothing more."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._audience.leave(connection)
        self.touch()
        if not self.destroyed:
            self._run_callback(partial(seams.trigger_connection_lost, self.document), _nothing)

    def catch_up(self, connection: Connection) -> None:
        """The connection has read all it was sent: tell it what it missed, if it missed something."""
        self.lock(partial(self._audience.catch_up, connection), self._caught_up)

    def _caught_up(self, untold: Any, error: BaseException | None) -> Sequence[Outgoing]:
        self.report(error, "sending what a viewer has missed")
        self._report_untold(untold or ())
        return ()

    def touch(self) -> None:
        """Begin the lease of a session without connections anew."""
        self.unused_since_s = time.monotonic()

    @property
    def destroyed(self) -> bool:
        """Whether the session takes no more work; it ends, or has ended."""
        return self._life is not Life.ALIVE

    @property
    def busy(self) -> bool:
        """Whether locked work runs or waits."""
        return self._lane.busy

    @property
    def connection_count(self) -> int:
        """How many websockets see the session."""
        return len(self._connections)

    # -- callbacks ---------------------------------------------------------------------------------------------

    def _session_callback_added(self, event: Any) -> None:
        self._callbacks.add(event.callback)

    def _session_callback_removed(self, event: Any) -> None:
        self._callbacks.remove(event.callback)

    def pause_when_unwatched(self) -> None:
        """Let all periodic callbacks rest while nobody is connected. May be called from any thread."""
        self._callbacks.pausing = True

    def _run_callback(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        def settle(result: Any, error: BaseException | None) -> Sequence[Outgoing]:
            self.report(error, "a callback")
            done()
            return ()

        self.lock(function, settle)

    def _run_unlocked(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        if self.building:
            # It may want what the app's code has yet to make; in stock, too, it starts when that has run.
            self.lock(_nothing, partial(self._run_unlocked_later, function, done))
        else:
            self._unlocked.begin(function, done)

    def _run_unlocked_later(
        self, function: Callable[[], Any], done: Callable[[], None], result: Any, error: BaseException | None
    ) -> Sequence[Outgoing]:
        if error is None:
            self._unlocked.begin(function, done)
        return ()

    # -- errors ------------------------------------------------------------------------------------------------

    def report(self, error: BaseException | None, what: str, *, always: bool = False) -> str:
        """Log what an app's code raised, if it is a failure (or ``always``), and tell the pages.

        Returns the id it is logged under. May be called from any thread.
        """
        return self._reporter.report(error, what, always=always)

    def error_replies(
        self, origin: Connection, msgtype: str, answers: Sequence[str], error: BaseException
    ) -> Sequence[Outgoing]:
        """The ERRORs that answer messages whose handling raised."""
        return self._reporter.replies(origin, msgtype, answers, error)

    # -- the end -----------------------------------------------------------------------------------------------

    def begin_to_end(self, unless: Callable[[], bool] | None = None) -> bool:
        """Stop all that could start new work, unless it is called off or somebody else has begun already.

        Runs with the document locked. Whoever gets ``True`` ends the session.
        """
        if self._life is Life.ENDING or (unless is not None and unless()):
            return False
        self._refuse_work(Life.ENDING)
        return True

    def _refuse_work(self, life: Life) -> None:
        self._life = life
        self._callbacks.stop()

    def abandon(self) -> None:
        """Give up the lane, in which something is stuck; in a new one, what waits is told that the session ends."""
        if self._life is Life.ALIVE:
            self._refuse_work(Life.GIVEN_UP)
        if self._pool is not None:
            self._pool.replace_stuck()
        stuck, self._lane = self._lane, Lane(self._loop, self._pool, self._variables.copy())
        stuck.abandon(self._lane)

    def dismantle(self) -> None:
        """Close the connections and take the document apart. Runs last, with the document locked."""
        while self._connections:
            self._connections.pop().outbox.close(SESSION_ENDED.code, SESSION_ENDED.reason)
        self._audience.clear()
        self._snapshots.forget()
        self._late.clear()
        self._unlocked.cancel()
        try:
            seams.dismantle(self.document, self)
        finally:
            self.context.release()


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():  # whoever waited may have been cancelled
        future.set_result(outcome)


def _nothing() -> None:
    pass


def _ignore(result: Any, error: BaseException | None) -> Sequence[Outgoing]:
    return ()
