"""The sessions of one app: finds them, makes them, ends those that have no connection."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..apps import App, Request
from ..base.errors import BuildError, RequestError
from ..base.tasks import Deadline
from .context import ServerContext, SessionVisit
from .lifecycle import build, discard, end, give_up_lane
from .session import Session, Surroundings

log = logging.getLogger("hotshoe.session")

PACE_S = 0.001
"""Pause between the ends of two expired sessions: a little more than it takes to take one apart."""


@dataclass(slots=True)
class _Opening:
    """A session that is being built, and how many callers wait for it."""

    task: asyncio.Task[Session]
    waiting: int = 0
    session: Session | None = None
    """Known once its task has begun."""


OnGone = Callable[[str], None]
"""Called with the id of each session that is not found any more: it has ended, its build has failed, or its app was
replaced."""


class Registry:
    """The sessions of ``app``. Used on the event loop only."""

    def __init__(self, app: App, url: str, surroundings: Surroundings, *,
                 on_gone: OnGone = lambda session_id: None) -> None:
        self.app = app
        self.url = url
        self.loop = surroundings.loop
        self.thread = surroundings.thread
        self.ended_count = 0
        """Sessions that have ended so far."""
        self.context = ServerContext(url, self.loop, lambda: [session.stock for session in self.sessions])
        self._make = partial(Session, url, self.context, surroundings)
        self._counters = surroundings.counters
        self._on_gone = on_gone
        self._held: set[str] = set()
        self._sessions: dict[str, Session] = {}
        self._retired: dict[Session, App] = {}
        self._openings: dict[str, _Opening] = {}
        self._endings: dict[Session, asyncio.Task[bool]] = {}
        self._closing: Deadline | None = None
        self._validated = False

    @property
    def sessions(self) -> list[Session]:
        """The live sessions, oldest first, without those that are still being built."""
        return list(self._sessions.values())

    def get(self, session_id: str) -> Session | None:
        """The live session with this id."""
        return self._sessions.get(session_id)

    @property
    def held_count(self) -> int:
        """How many sessions live or are being built."""
        return len(self._held)

    def holds(self, session_id: str) -> bool:
        """Whether a session with this id lives or is being built."""
        return session_id in self._held

    async def open(self, session_id: str, request: Request, payload: Mapping[str, Any]) -> Session:
        """Find or build the session. Concurrent calls with one id get the same session.

        Raises ``BuildError`` or ``RequestError``, in all of these calls. If all are cancelled, the session ends as
        soon as it is built; a build that has not begun never begins.
        """
        if self._closing is not None:
            raise RequestError("the server is stopping", status=503)
        session = self._sessions.get(session_id)
        if session is not None and not session.destroyed:
            session.touch()
            return session
        opening = self._openings.get(session_id) or self._begin(SessionVisit(session_id, request, payload))
        opening.waiting += 1
        try:
            return await asyncio.shield(opening.task)
        except asyncio.CancelledError:
            if opening.task.cancelled():
                raise RequestError("the server is stopping", status=503) from None
            raise
        finally:
            opening.waiting -= 1
            if not opening.waiting and opening.session is not None:
                opening.session.touch()
                # A session whose build has failed is being ended: that must go on.
                if not opening.task.done() and not opening.session.destroyed and opening.session.withdraw():
                    self._forget_opening(session_id, opening)
                    opening.task.cancel()

    def is_seen(self, session: Session, lifetime_s: float) -> bool:
        """Whether a client waits for the session, has a connection to it, or had one within ``lifetime_s``."""
        if any(opening.session is session and opening.waiting for opening in self._openings.values()):
            return True
        return _is_wanted(session, lifetime_s)

    def _begin(self, visit: SessionVisit) -> _Opening:
        self._let_go(visit.session_id)  # the place of an earlier session with this id, which is ending
        self._held.add(visit.session_id)
        opening = _Opening(asyncio.create_task(self._build(visit)))
        opening.task.add_done_callback(_retrieve)
        self._openings[visit.session_id] = opening
        return opening

    def replace_app(self, app: App) -> None:
        """Build new sessions by ``app``. The others are not found any more, and end when they have no connection."""
        self._retired |= dict.fromkeys(self._sessions.values(), self.app)
        gone, self._sessions = self._sessions, {}
        for session_id in gone:
            self._let_go_if_gone(session_id)
        self.app, self._validated = app, False
        self._end_retired()

    async def _build(self, visit: SessionVisit) -> Session:
        app, opening = self.app, self._openings[visit.session_id]
        session: Session | None = None
        try:
            session = opening.session = self._make(visit)
            await self._fill(session, app)
            if app is self.app:
                self._sessions[visit.session_id] = session
            else:  # the app was replaced during the build
                self._retired[session] = app
            self._counters.sessions_made.add()
            session.touch()
            return session
        finally:
            self._forget_opening(visit.session_id, opening)
            if session is not None and not opening.waiting and not session.destroyed:
                self._end_later(session, unless=partial(_is_seen, session))

    def _forget_opening(self, session_id: str, opening: _Opening) -> None:
        if self._openings.get(session_id) is opening:
            del self._openings[session_id]
            self._let_go_if_gone(session_id)

    async def _fill(self, session: Session, app: App) -> None:
        try:
            # An app's documents have the same flaws in each session. To check only the first takes a fifth off a page.
            await build(session, app, validate=not self._validated)
            self._validated = True
        except (BuildError, RequestError) as error:
            if isinstance(error, BuildError):
                self._counters.sessions_failed.add()
            await end(session, app)
            raise
        except BaseException:  # the build was cancelled: do not wait for its end either
            if session.busy:
                give_up_lane(session)
            elif not session.has_begun:
                discard(session)
                raise
            await end(session, app, deadline=self._closing or Deadline())
            raise

    def _let_go_if_gone(self, session_id: str) -> None:
        if session_id not in self._sessions and session_id not in self._openings:
            self._let_go(session_id)

    def _let_go(self, session_id: str) -> None:
        if session_id in self._held:
            self._held.discard(session_id)
            self._on_gone(session_id)

    async def end(self, session_id: str) -> bool:
        """End a session; running callbacks get the time that a server has for stopping. Returns whether it existed."""
        session = self._sessions.get(session_id)
        return session is not None and await self._end(session, deadline=Deadline())

    async def close(self, deadline: Deadline) -> None:
        """End all sessions, also those being built, within ``deadline``. Callbacks and hooks get shares of the time."""
        self._closing = deadline
        openings = [opening.task for opening in self._openings.values()]
        for task in openings:
            task.cancel()
        sessions = [*self.sessions, *self._retired]
        ends = asyncio.gather(*(self._end(session, deadline=deadline) for session in sessions))
        if openings:
            await asyncio.wait(openings)
        await ends
        if self._endings:
            await asyncio.wait(self._endings.values(), timeout=deadline.left_s)

    async def expire(self, lifetime_s: float) -> None:
        """Begin to end the sessions that had no connection for more than ``lifetime_s``, one after the other.

        If many were taken apart at once, on many threads, the loop would have to wait for its turn.
        """
        for session in [each for each in self._sessions.values() if not _is_wanted(each, lifetime_s)]:
            # Asked again when the lane is free: it may have got a connection, or have ended, meanwhile.
            self._end_later(session, unless=partial(_is_wanted, session, lifetime_s))
            await asyncio.sleep(PACE_S)
        self._end_retired()

    def _end_retired(self) -> None:
        for session in self._retired:
            if not session.connection_count and not session.destroyed:
                self._end_later(session, unless=partial(_is_seen, session))

    def _end_later(self, session: Session, unless: Callable[[], bool]) -> None:
        if session in self._endings:
            return  # it is busy, and ``unless`` waits in its lane already
        task = self._endings[session] = asyncio.create_task(self._end(session, unless=unless))
        task.add_done_callback(lambda _: self._endings.pop(session))

    async def _end(
        self, session: Session, *, unless: Callable[[], bool] | None = None, deadline: Deadline | None = None
    ) -> bool:
        ended = await end(session, self._retired.get(session, self.app), unless=unless, deadline=deadline)
        if ended:
            self.ended_count += 1
            self._counters.sessions_ended.add()
            self._retired.pop(session, None)
            if self._sessions.get(session.id) is session:
                del self._sessions[session.id]
                self._let_go_if_gone(session.id)
        return ended


def _is_wanted(session: Session, lifetime_s: float) -> bool:
    is_new = not session.expiration_requested and time.monotonic() - session.unused_since_s < lifetime_s
    return session.destroyed or is_new or session.connection_count > 0 or session.expiration_blocks > 0


def _is_seen(session: Session) -> bool:
    return session.destroyed or session.connection_count > 0


def _retrieve(task: asyncio.Task[Session]) -> None:
    # The callers have got the error. If all were cancelled, it was logged anyway.
    if not task.cancelled():
        task.exception()
