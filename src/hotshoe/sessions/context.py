"""What apps see of their session and their server: ``session_context`` and ``server_context``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bokeh.document import Document

from ..apps.request import Request
from ..errors import SessionGone
from ..panel_seams import StockSession, request_class

if TYPE_CHECKING:
    from tornado.ioloop import IOLoop

    from .registry import Registry
    from .session import Session


class SessionRequest:
    """The request that made the session: ``arguments``, ``cookies``, ``headers``, and all that a request has."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.arguments = {k: list(v) for k, v in request.arguments.items() if k != "bokeh-session-id"}
        self.cookies = dict(request.cookies)
        self.headers = dict(request.headers)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return request_class(SessionRequest)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._request, name)


class ApplicationContext:
    """An app as its own code sees it."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._url = url  # the name that Panel's Application reads
        self._loop = loop

    @cached_property
    def io_loop(self) -> IOLoop:
        """The server's loop as Tornado's ``IOLoop``: threads of the app's own call its ``add_callback``."""
        # Whatever thread asks, it is the loop of one that has none of its own.
        with ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(self._loop,)) as thread:
            return thread.submit(_current_io_loop).result()


def _current_io_loop() -> IOLoop:
    from tornado.ioloop import IOLoop  # nothing else of a session needs it

    return IOLoop.current()


class ServerContext:
    """One app's place in the server, for hooks and ``session_context.server_context``.

    Apps may keep what all their sessions share as attributes of it.
    """

    def __init__(self, registry: Registry, url: str) -> None:
        self._registry = registry
        self.application_context = ApplicationContext(url, registry.loop)

    @property
    def sessions(self) -> list[StockSession]:
        """The live sessions of the app."""
        return [session.stock for session in self._registry.sessions]


class SessionContext:
    """A session as its app and its hooks see it."""

    def __init__(
        self, session: Session, server_context: ServerContext, request: Request, payload: Mapping[str, Any]
    ) -> None:
        self._id = session.id
        self._session: Session | None = session
        self._server_context = server_context
        self._request = SessionRequest(request)
        self._payload = payload

    @property
    def id(self) -> str:
        """The session's id."""
        return self._id

    @property
    def destroyed(self) -> bool:
        """Whether the session has ended; ``True`` in ``on_session_destroyed``."""
        return self._session is None or self._session.destroyed

    @property
    def request(self) -> SessionRequest:
        """The request that made the session."""
        return self._request

    @property
    def token_payload(self) -> dict[str, Any]:
        """What the session's token stands for: headers, cookies, arguments, what ``process_request`` returned."""
        request = self._request
        stock = {"headers": request.headers, "cookies": request.cookies, "arguments": request.arguments}
        return {**stock, **self._payload}

    @property
    def busy(self) -> bool:
        """Whether a callback of the session runs or waits."""
        return self._session is not None and self._session.busy

    @property
    def collapse(self) -> bool:
        """Whether of several changes of one control that wait only the last runs its callbacks; may be set."""
        return self._session is not None and self._session.collapse

    @collapse.setter
    def collapse(self, collapse: bool) -> None:
        if self._session is not None:
            self._session.collapse = collapse

    @property
    def logout_url(self) -> str | None:
        """Where to log out, if there is a login."""
        url: str | None = self._request.logout_url
        return url

    @property
    def user(self) -> Any:
        """Who has logged in: ``name``, ``email``, ``groups``, ``claims``; ``None`` for nobody.

        Without a login of hotshoe's, it is the user of the framework around it, as that gives it.
        """
        return self._request.user

    @property
    def server_context(self) -> ServerContext:
        """The app's place in the server."""
        return self._server_context

    @property
    def document(self) -> Document:
        """The session's document. Raises ``SessionGone`` once it is taken apart."""
        if self._session is None:
            raise SessionGone(f"session {self._id} has ended")
        return self._session.document

    _document = document  # the name that bokeh 3.9's own lifecycle handler reads

    @property
    def session(self) -> StockSession | None:
        """The session by stock's names, until it is taken apart."""
        return None if self._session is None else self._session.stock

    @property
    def owner(self) -> Session | None:
        """The session itself, for hotshoe's own code."""
        return self._session

    async def with_locked_document(self, func: Callable[[Document], Awaitable[None]]) -> None:
        """Await ``func(document)`` with the document locked. Inside locked code it runs at once."""
        if self._session is None:
            raise SessionGone(f"session {self._id} has ended")
        await self._session.with_document_locked(func, self.document)

    def release(self) -> None:
        """Let go of the session, which has ended."""
        self._session = None
