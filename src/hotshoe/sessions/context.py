"""What apps see of their session and their server: ``session_context`` and ``server_context``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from bokeh.document import Document

from ..apps import App
from ..base.errors import EarlyReadError, SessionGone
from ..base.left_out import missing
from ..base.logs import session_hash
from ..base.threads import ThreadPool
from ..http.requests import Request
from ..seams.panel import StockSession, request_class
from ..seams.panel.stock_session import StockOwner

if TYPE_CHECKING:
    from tornado.ioloop import IOLoop


@dataclass(frozen=True, slots=True)
class SessionVisit:
    """The visitor of a session: the session's id, the request, the token's payload."""

    session_id: str
    request: Request
    """The request that asked for the session."""
    payload: Mapping[str, Any]
    """The payload of the session's token."""


class ContextOwner(StockOwner, Protocol):
    """The session behind a ``SessionContext``."""

    collapse: bool
    @property
    def stock(self) -> StockSession: ...
    @property
    def busy(self) -> bool: ...


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


BY_SERVER = dict.fromkeys((
    *("add", "create_document", "initialize_document", "process_request", "process_request_async", "safe_to_fork"),
    *("on_server_loaded", "on_server_unloaded", "on_session_created", "on_session_destroyed"),
    *("create_session_if_needed", "run_load_hook", "run_unload_hook"),
), "the server makes the app's sessions and calls its hooks")
"""Names of stock's application and its context that are left out."""


class StockApplication:
    """An app by the names of stock's Application, if it is not made from such an object."""

    handlers = ()

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def metadata(self) -> Any:
        """The app's metadata."""
        return self._app.metadata()

    @property
    def static_path(self) -> str | None:
        """The folder of its static files."""
        return None if self._app.static_dir is None else str(self._app.static_dir)

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, BY_SERVER)


class ApplicationContext:
    """An app as its own code sees it."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop, server_context: ServerContext,
                 app: Callable[[], App]) -> None:
        self.url = url
        self._url = url  # the name that Panel's Application reads
        self._loop = loop
        self.server_context = server_context
        self._app = app

    @property
    def application(self) -> Any:
        """The Application object from which the app is made, or one with its names."""
        app = self._app()
        return StockApplication(app) if app.application is None else app.application

    @property
    def sessions(self) -> list[StockSession]:
        """The live sessions of the app."""
        return self.server_context.sessions

    def get_session(self, session_id: str) -> StockSession:
        """The live session with this id. Raises ``SessionGone``."""
        for session in self.sessions:
            if session.id == session_id:
                return session
        raise SessionGone("there is no session with this id")

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, BY_SERVER)

    @cached_property
    def io_loop(self) -> IOLoop:
        """The server's loop as Tornado's ``IOLoop``, for ``add_callback`` in the app's own threads."""
        # On a thread of a pool, where IOLoop.current() is the server's; in a thread of the app it would be another one.
        with ThreadPool(1, self._loop) as thread:
            return thread.submit(_current_io_loop).result()


def _current_io_loop() -> IOLoop:
    from tornado.ioloop import IOLoop  # nothing else of a session needs it

    return IOLoop.current()


class ServerContext:
    """One app's place in the server, for hooks and ``session_context.server_context``.

    Apps may set attributes on it, which all their sessions then share.
    """

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop, sessions: Callable[[], list[StockSession]],
                 app: Callable[[], App]) -> None:
        self._sessions = sessions
        self.application_context = ApplicationContext(url, loop, self, app)

    @property
    def sessions(self) -> list[StockSession]:
        """The live sessions of the app."""
        return self._sessions()


class SessionContext:
    """A session as its app and its hooks see it.

    Before the session is adopted, reading anything about its visitor raises ``EarlyReadError``.
    """

    def __init__(self, session: ContextOwner, server_context: ServerContext) -> None:
        self._session: ContextOwner | None = session
        self._server_context = server_context
        self._visit: SessionVisit | None = None
        self._request: SessionRequest | None = None
        self.early_read: str | None = None
        """The first attribute that was read too early; it is kept even if the app has caught the error."""

    def adopt(self, visit: SessionVisit) -> None:
        """Give the session its visitor, once."""
        if self._visit is not None:
            raise RuntimeError(f"session {self.name} was adopted before")
        self._visit, self._request = visit, SessionRequest(visit.request)

    def _visit_for(self, name: str) -> SessionVisit:
        if self._visit is None:
            self.early_read = self.early_read or f"session_context.{name}"
            raise EarlyReadError(f"session_context.{name}")
        return self._visit

    @property
    def is_adopted(self) -> bool:
        """Whether the session has a visitor."""
        return self._visit is not None

    @property
    def id(self) -> str:
        """The session's id."""
        return self._visit_for("id").session_id

    @property
    def name(self) -> str:
        """The session's name in errors and the log: a hash of its id, since the id itself opens the session."""
        return "without a visitor" if self._visit is None else session_hash(self._visit.session_id)

    @property
    def destroyed(self) -> bool:
        """Whether the session has ended; ``True`` in ``on_session_destroyed``."""
        return self._session is None or self._session.destroyed

    @property
    def request(self) -> SessionRequest:
        """The request that made the session."""
        self._visit_for("request")
        assert self._request is not None
        return self._request

    @property
    def token_payload(self) -> dict[str, Any]:
        """Headers, cookies and arguments of the request, and the result of ``process_request``."""
        payload, request = self._visit_for("token_payload").payload, self.request
        stock = {"headers": request.headers, "cookies": request.cookies, "arguments": request.arguments}
        return {**stock, **payload}

    @property
    def busy(self) -> bool:
        """Whether a callback of the session runs or waits."""
        return self._session is not None and self._session.busy

    @property
    def collapse(self) -> bool:
        """Whether only the last of several waiting changes of one control runs its callbacks; may be set."""
        return self._session is not None and self._session.collapse

    @collapse.setter
    def collapse(self, collapse: bool) -> None:
        if self._session is not None:
            self._session.collapse = collapse

    @property
    def logout_url(self) -> str | None:
        """The URL for logging out, if there is a login."""
        return self._visit_for("logout_url").request.logout_url

    @property
    def user(self) -> Any:
        """The user who has logged in: ``name``, ``email``, ``groups``, ``claims``; ``None`` if nobody has.

        Without a login of hotshoe, it is the user object of the outer framework.
        """
        return self._visit_for("user").request.user

    @property
    def server_context(self) -> ServerContext:
        """The app's place in the server."""
        return self._server_context

    @property
    def document(self) -> Document:
        """The session's document. Raises ``SessionGone`` once it is taken apart."""
        if self._session is None:
            raise self.gone()
        return self._session.document

    _document = document  # the name that bokeh 3.9's own lifecycle handler reads

    @property
    def session(self) -> StockSession | None:
        """The session by stock's names, until it is taken apart."""
        return None if self._session is None else self._session.stock

    @property
    def owner(self) -> ContextOwner | None:
        """The session itself, for hotshoe's own code."""
        return self._session

    async def with_locked_document(self, func: Callable[[Document], Awaitable[None]]) -> None:
        """Await ``func(document)`` with the document locked. Inside locked code it runs at once."""
        if self._session is None:
            raise self.gone()
        await self._session.with_document_locked(func, self.document)

    def gone(self) -> SessionGone:
        """The error for calls after the end of the session."""
        return SessionGone(f"session {self.name} has ended")

    def release(self) -> None:
        """Let go of the session, which has ended."""
        self._session = None
