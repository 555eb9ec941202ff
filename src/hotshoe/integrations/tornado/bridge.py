"""Between Tornado and ASGI: the mounted app, the ASGI scope of a Tornado request, and a queue of events."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from ...config import Settings
from ...http.scopes import HEAD_ONLY

Scope = dict[str, Any]
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
UserOf = Callable[[RequestHandler], Any]

_EXTENSIONS: dict[str, Any] = {"websocket.http.response": {}}
Event = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class MountedApp:
    """An ASGI app at a path of a Tornado application."""

    app: App
    path: str
    """Empty, or ``/like/this``."""
    settings: Settings
    user: UserOf | None = None

    async def scope(self, handler: RequestHandler, kind: Literal["http", "websocket"]) -> Scope:
        """The scope of the request, with Tornado's user."""
        scope = scope_of(handler.request, kind, self.path)
        user = handler.current_user if self.user is None else self.user(handler)
        if inspect.isawaitable(user):
            user = await user
        if user is not None:
            scope["user"] = user
        return scope


def scope_of(request: HTTPServerRequest, kind: Literal["http", "websocket"], root_path: str) -> Scope:
    """The ASGI scope, with Tornado's client and scheme: with ``xheaders`` those in the proxy's headers."""
    scope: Scope = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.version.rpartition("/")[2],
        "scheme": request.protocol if kind == "http" else "wss" if request.protocol == "https" else "ws",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1", "replace"),
        "query_string": request.query.encode("latin-1", "replace"),
        "root_path": root_path,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
                    for name, value in request.headers.get_all()],
        "client": _client(request),
        HEAD_ONLY: True,  # Tornado refuses trailers
        "server": _server(request),
    }
    if kind == "http":
        return {**scope, "method": request.method}
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return {**scope, "extensions": _EXTENSIONS,
            "subprotocols": [each.strip() for each in offered.split(",") if each.strip()]}


def _client(request: HTTPServerRequest) -> tuple[str, int] | None:
    address = getattr(getattr(request.connection, "context", None), "address", None)
    if not isinstance(address, tuple):  # a Unix socket: the only address is the one in a proxy's headers
        return (request.remote_ip, 0) if request.remote_ip not in (None, "0.0.0.0") else None  # noqa: S104
    return (request.remote_ip or "", address[1] if address[0] == request.remote_ip else 0)


def _server(request: HTTPServerRequest) -> tuple[str, int | None] | None:
    stream = getattr(request.connection, "stream", None)
    try:
        name = stream.socket.getsockname()  # type: ignore[union-attr]
    except (AttributeError, OSError):  # it is closed already
        return None
    return (name[0], name[1]) if isinstance(name, tuple) else (str(name), None)


async def finish_prepare(handler: RequestHandler, result: Awaitable[None] | None) -> bool:
    """Wait for the result of the site's own ``prepare``. Returns whether the request still needs a response."""
    if result is not None:
        await result
    return not handler._finished  # noqa: SLF001 - Tornado asks the same after ``prepare``


class EventQueue:
    """A queue with one reader and one writer. The writer waits while it is full; its last event can be read again."""

    def __init__(self, max_events: int = 2) -> None:
        self._max_events = max_events
        self._events: deque[Event] = deque()
        self._end: Event | None = None
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Add an event when there is room; after the end it is dropped, since nobody reads it."""
        while len(self._events) >= self._max_events and self._end is None:
            self._has_room.clear()
            await self._has_room.wait()
        if self._end is None:
            self._events.append(event)
            self._filled.set()

    def end(self, event: Event) -> None:
        """Make ``event`` the last one, unless there is a last one already."""
        if self._end is None:
            self._end = event
        self._filled.set()
        self._has_room.set()

    async def get(self) -> Event:
        """The next event: ASGI's ``receive``."""
        while not self._events and self._end is None:
            self._filled.clear()
            await self._filled.wait()
        if self._events:
            self._has_room.set()
            return self._events.popleft()
        assert self._end is not None
        return self._end
