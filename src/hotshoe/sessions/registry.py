"""The sessions of one app: finds them, makes them, ends those that nobody uses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..apps import App, Request
from ..errors import BuildError, RequestError
from .context import ServerContext, SessionRequest
from .lifecycle import build, end
from .session import Session
from .surroundings import Surroundings

log = logging.getLogger("hotshoe.session")

PACE_S = 0.001
"""Time between the ends of two sessions that expire: a little more than it takes to take one apart."""


@dataclass(slots=True)
class _Opening:
    """A session that is being built, and how many wait for it."""

    task: asyncio.Task[Session]
    request: Request
    waiting: int = 0


class Registry:
    """The sessions of ``app``. Used on the event loop only."""

    def __init__(
        self,
        app: App,
        url: str,
        surroundings: Surroundings,
    ) -> None:
        self.app = app
        self.url = url
        self.loop = surroundings.loop
        self.ended_count = 0
        """Sessions that have ended so far."""
        self.context = ServerContext(self, url)
        self._make = partial(
            Session,
            app_url=url,
            server_context=self.context,
            surroundings=surroundings,
        )
        self._sessions: dict[str, Session] = {}
        self._retired: dict[Session, App] = {}
        self._openings: dict[str, _Opening] = {}
        self._endings: dict[Session, asyncio.Task[bool]] = {}
        self._closed = False
        self._validated = False

    @property
    def sessions(self) -> list[Session]:
        """The live sessions, oldest first; those that are still being built are not among them."""
        return list(self._sessions.values())

    def get(self, session_id: str) -> Session | None:
        """The live session with this id."""
        return self._sessions.get(session_id)

    @property
    def requests(self) -> list[SessionRequest | Request]:
        """The request behind each session, also behind those that are being built."""
        live: dict[str, SessionRequest | Request] = {each.id: each.context.request for each in self._sessions.values()}
        return list((live | {name: opening.request for name, opening in self._openings.items()}).values())

    def knows(self, session_id: str) -> bool:
        """Whether ``open`` would find a session with this id, or join those who wait for it."""
        session = self._sessions.get(session_id)
        return (session is not None and not session.destroyed) or session_id in self._openings

    async def open(self, session_id: str, request: Request, payload: Mapping[str, Any]) -> Session:
        """Find or build the session. Those who ask for one id at one time get one session.

        Raises ``BuildError`` to all who wait. If all of them give up, the session ends as soon as it is built.
        """
        if self._closed:
            raise RequestError("the server is stopping", status=503)
        session = self._sessions.get(session_id)
        if session is not None and not session.destroyed:
            session.touch()
            return session
        opening = self._openings.get(session_id) or self._begin(session_id, request, payload)
        opening.waiting += 1
        try:
            return await asyncio.shield(opening.task)
        except asyncio.CancelledError:
            if opening.task.cancelled():
                raise RequestError("the server is stopping", status=503) from None
            raise
        finally:
            opening.waiting -= 1

    def _begin(self, session_id: str, request: Request, payload: Mapping[str, Any]) -> _Opening:
        opening = _Opening(asyncio.create_task(self._build(session_id, request, payload)), request)
        opening.task.add_done_callback(_retrieve)
        self._openings[session_id] = opening
        return opening

    def replace_app(self, app: App) -> None:
        """Make sessions by ``app`` from now on. Nobody finds the others any more; they end once nobody sees them."""
        self._retired |= dict.fromkeys(self._sessions.values(), self.app)
        self._sessions.clear()
        self.app, self._validated = app, False
        self._end_retired()

    async def _build(self, session_id: str, request: Request, payload: Mapping[str, Any]) -> Session:
        app = self.app
        session = self._make(session_id, request=request, payload=payload)
        try:
            # What is odd about an app's document is odd in each session: to say it once takes a fifth off a page.
            await build(session, app, validate=not self._validated)
            self._validated = True
        except BaseException as error:
            await end(session, app, grace_s=None if isinstance(error, BuildError) else 0)
            raise
        else:
            if app is self.app:
                self._sessions[session_id] = session
            else:  # replaced meanwhile
                self._retired[session] = app
            session.touch()
            return session
        finally:
            opening = self._openings.pop(session_id)
            if not opening.waiting and not session.destroyed:
                self._end_later(session, unless=partial(_is_seen, session))

    async def close(self, grace_s: float) -> None:
        """End every session, and those being built; each gets ``grace_s`` to leave its callback."""
        self._closed = True
        openings = [opening.task for opening in self._openings.values()]
        for task in openings:
            task.cancel()
        await asyncio.gather(*openings, return_exceptions=True)
        sessions = [*self.sessions, *self._retired]
        await asyncio.gather(*(self._end(session, grace_s=grace_s) for session in sessions))
        if self._endings:
            await asyncio.wait(self._endings.values(), timeout=grace_s)

    async def expire(self, lifetime_s: float) -> None:
        """Begin to end the sessions that had no connection for more than ``lifetime_s``, one after the other.

        To take many apart at once, on as many threads, would keep the loop waiting for its turn.
        """
        for session in unused(self._sessions.values(), time.monotonic() - lifetime_s):
            self._end_later(session, unless=partial(_is_wanted, session, lifetime_s))
            await asyncio.sleep(PACE_S)
        self._end_retired()

    def _end_retired(self) -> None:
        for session in self._retired:
            if not session.connection_count and not session.destroyed:
                self._end_later(session, unless=partial(_is_seen, session))

    def _end_later(self, session: Session, unless: Callable[[], bool]) -> None:
        if session in self._endings:
            return  # it is busy, and the question waits in its lane already
        task = self._endings[session] = asyncio.create_task(self._end(session, unless=unless))
        task.add_done_callback(lambda _: self._endings.pop(session))

    async def _end(
        self, session: Session, *, unless: Callable[[], bool] | None = None, grace_s: float | None = None
    ) -> bool:
        ended = await end(session, self._retired.get(session, self.app), unless=unless, grace_s=grace_s)
        if ended:
            self.ended_count += 1
            self._retired.pop(session, None)
            if self._sessions.get(session.id) is session:
                del self._sessions[session.id]
        return ended


def unused(sessions: Iterable[Session], since_s: float) -> list[Session]:
    """Those of ``sessions`` that have had no connection since the moment ``since_s`` (monotonic) or before."""
    return [session for session in sessions if _is_unused(session, since_s)]


def _is_unused(session: Session, since_s: float) -> bool:
    kept = session.connection_count or session.expiration_blocks
    is_old = session.expiration_requested or session.unused_since_s <= since_s
    return not kept and is_old and not session.destroyed


def _is_wanted(session: Session, lifetime_s: float) -> bool:
    # Asked again once the lane is free: the session may have come back to life, or have ended, meanwhile.
    return not _is_unused(session, time.monotonic() - lifetime_s)


def _is_seen(session: Session) -> bool:
    return session.destroyed or session.connection_count > 0


def _retrieve(task: asyncio.Task[Session]) -> None:
    # Whoever waited has got the error; if all of them gave up, it stands in the log already.
    if not task.cancelled():
        task.exception()
