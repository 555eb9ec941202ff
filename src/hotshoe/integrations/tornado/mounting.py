"""What is mounted, and the ASGI scope of a request that Tornado has read."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from ...config import Settings

Scope = dict[str, Any]
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
UserOf = Callable[[RequestHandler], Any]

_EXTENSIONS: dict[str, Any] = {"websocket.http.response": {}}


@dataclass(frozen=True, slots=True)
class Mount:
    """An ASGI app at a path of a Tornado application."""

    app: App
    path: str
    """Empty, or ``/like/this``."""
    settings: Settings
    user: UserOf | None = None

    async def scope(self, handler: RequestHandler, kind: Literal["http", "websocket"]) -> Scope:
        """The scope of the request, with the user whom Tornado knows."""
        scope = scope_of(handler.request, kind, self.path)
        user = handler.current_user if self.user is None else self.user(handler)
        if inspect.isawaitable(user):
            user = await user
        if user is not None:
            scope["user"] = user
        return scope


def scope_of(request: HTTPServerRequest, kind: Literal["http", "websocket"], root_path: str) -> Scope:
    """The ASGI scope: client and scheme are those that Tornado believes in, with ``xheaders`` the proxy's."""
    raw_path = request.path
    scope: Scope = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.version.rpartition("/")[2],
        "scheme": _scheme(request.protocol, kind),
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("latin-1", "replace"),
        "query_string": request.query.encode("latin-1", "replace"),
        "root_path": root_path,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
                    for name, value in request.headers.get_all()],
        "client": _client(request),
        "server": _server(request),
    }
    if kind == "http":
        return {**scope, "method": request.method}
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return {**scope, "extensions": _EXTENSIONS,
            "subprotocols": [each.strip() for each in offered.split(",") if each.strip()]}


def _scheme(protocol: str, kind: str) -> str:
    if kind == "http":
        return protocol
    return "wss" if protocol == "https" else "ws"


def _client(request: HTTPServerRequest) -> tuple[str, int] | None:
    address = getattr(getattr(request.connection, "context", None), "address", None)
    if not isinstance(address, tuple):  # a Unix socket, which has no address but what a proxy says
        return (request.remote_ip, 0) if request.remote_ip not in (None, "0.0.0.0") else None  # noqa: S104
    return (request.remote_ip or "", address[1] if address[0] == request.remote_ip else 0)


def _server(request: HTTPServerRequest) -> tuple[str, int | None] | None:
    stream = getattr(request.connection, "stream", None)
    try:
        name = stream.socket.getsockname()  # type: ignore[union-attr]
    except (AttributeError, OSError):  # closed already
        return None
    return (name[0], name[1]) if isinstance(name, tuple) else (str(name), None)


async def prepared(handler: RequestHandler, result: Awaitable[None] | None) -> bool:
    """Wait for what the site's own ``prepare`` has begun; whether it has left the request to be answered."""
    if result is not None:
        await result
    return not handler._finished  # noqa: SLF001 - Tornado asks the same after ``prepare``
