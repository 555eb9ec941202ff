"""Tornado's rules and handlers for ASGI apps.

Responses are not changed. A websocket's handler asks the app before the handshake, then moves messages both ways.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import unquote

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.routing import Matcher, Rule
from tornado.web import HTTPError, RequestHandler, stream_request_body
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ...apps import Target
from ...base.errors import ConfigError
from ...base.logs import PacedLog, origin_of
from ...http.paths import normalized_prefix, path_below
from ...web.mount import Asgi, asgi
from .bridge import Event, EventQueue, MountedApp, UserOf, finish_prepare

_log = PacedLog(logging.getLogger(__name__))
_GONE: Event = {"type": "http.disconnect"}


def routes(apps: Asgi | Target | Iterable[Target] | Mapping[str, Target], *, prefix: str = "",
           user: UserOf | None = None, handler: type[RequestHandler] | None = None, **more: Any) -> list[Rule]:
    """Rules for ``tornado.web.Application`` that serve ``apps`` and their files below ``prefix``.

    ``apps`` is the argument of ``hotshoe.asgi``, with ``more`` arguments for it; or its return value, which can
    ``start`` the apps before the first request, and ``stop`` them before the loop stops. Without a prefix the rules
    match every path, so they must come last.

    The user is the result of ``user(handler)`` or, by default, the handler's ``current_user``: pass the site's
    ``handler`` class, so that its ``get_current_user`` and ``prepare`` are called. ``None`` means that nobody has
    logged in. Raises the errors of ``hotshoe.asgi``.
    """
    if isinstance(apps, Asgi) and more:
        raise ConfigError(f"{', '.join(more)}: pass these to hotshoe.asgi, which has made the apps")
    app = apps if isinstance(apps, Asgi) else asgi(apps, **more)
    return rules(MountedApp(app, normalized_prefix(prefix), app.front.settings, user), handler)


def rules(mount: MountedApp, handler: type[RequestHandler] | None = None) -> list[Rule]:
    """One rule for websockets, one for other requests; both handlers also inherit from the site's ``handler``."""
    site = () if handler is None or handler is RequestHandler else (handler,)
    return [
        Rule(_Below(mount.path, upgrades=True), type("AppSocket", (AppSocket, *site), {"mount": mount})),
        Rule(_Below(mount.path, upgrades=False), type("AppRequest", (AppRequest, *site), {"mount": mount})),
    ]


class _Below(Matcher):
    def __init__(self, path: str, *, upgrades: bool) -> None:
        self._path = path
        self._upgrades = upgrades

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        upgrades = request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"
        is_below = upgrades is self._upgrades and path_below(unquote(request.path), self._path) is not None
        return {} if is_below else None


@stream_request_body
class AppRequest(RequestHandler):
    """Serves an HTTP request by the app; both bodies are streamed, with backpressure."""

    mount: ClassVar[MountedApp]
    _inbox: EventQueue | None = None
    _app: asyncio.Task[None]
    _has_begun = False
    _is_waiting = False

    async def prepare(self) -> None:
        """Start the app when the head has arrived and the site's own ``prepare`` is done."""
        if not await finish_prepare(self, super().prepare()):
            return
        # No compression by Tornado: it would break ranges and digests, and the apps compress themselves.
        self._transforms = []
        self._limit_body(self.mount.settings.max_body_size or sys.maxsize)
        scope = await self.mount.scope(self, "http")
        inbox = self._inbox = EventQueue()
        self._app = asyncio.create_task(self.mount.app(scope, inbox.get, self._send))
        self._app.add_done_callback(lambda _: inbox.end(_GONE))

    def _limit_body(self, max_bytes: int) -> None:
        length = self.request.headers.get("Content-Length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > max_bytes):
            raise HTTPError(413)
        connection: Any = self.request.connection
        connection.set_max_body_size(max_bytes)  # for a body without Content-Length

    async def data_received(self, chunk: bytes) -> None:
        """Hand a part of the body to the app."""
        if self._inbox is not None:
            await self._inbox.put({"type": "http.request", "body": chunk, "more_body": True})

    async def _respond(self, *args: str, **kwargs: str) -> None:
        """Tell the app that the request is complete, and wait for the end of the response."""
        assert self._inbox is not None
        await self._inbox.put({"type": "http.request", "body": b"", "more_body": False})
        self._is_waiting = True
        with suppress(StreamClosedError):
            await self._app
            if not self._has_begun:
                raise RuntimeError("the app has sent no response")

    get = head = post = delete = patch = put = options = _respond

    def on_connection_close(self) -> None:
        """Tell the app that the client has disconnected."""
        super().on_connection_close()
        if self._inbox is not None:
            self._inbox.end(_GONE)
            if not self._is_waiting:
                self._app.add_done_callback(_log_failure)

    async def _send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self._has_begun = True
            self.set_status(event["status"])
            set_headers(self, event.get("headers", ()))
        elif event["type"] == "http.response.body":
            if body := event.get("body"):
                self.write(bytes(body))
            await self.flush()

    def compute_etag(self) -> None:
        """Add no ETag: the app decides that."""

    def check_xsrf_cookie(self) -> None:
        """Do not check: the apps protect their forms themselves, without Tornado's cookie."""


def set_headers(handler: RequestHandler, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Set the app's headers, also several of one name; they replace the site's headers of that name."""
    handler.clear_header("Content-Type")  # Tornado's guess
    seen: set[str] = set()
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in seen:
            handler.add_header(name, value)
        else:
            handler.set_header(name, value)
        seen.add(name)


def _log_failure(app: asyncio.Task[None]) -> None:
    error = None if app.cancelled() else app.exception()
    if error is not None and not isinstance(error, OSError):  # an OSError tells the app of the disconnect
        _log.error("An app failed after its client had disconnected", kind=origin_of(error), exc_info=error)


class AppSocket(WebSocketHandler):
    """One websocket of an app. Only the app accepts, refuses and closes it."""

    mount: ClassVar[MountedApp]
    _subprotocol: str | None = None

    def initialize(self, **more: Any) -> None:
        """Make the queue to the app, before the client can send anything."""
        super().initialize(**more)
        self._inbox = EventQueue()
        self._accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._is_open = asyncio.Event()

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Ask the app; then serve the websocket until its end, or send the app's refusal."""
        scope = await self.mount.scope(self, "websocket")
        await self._inbox.put({"type": "websocket.connect"})
        app = asyncio.create_task(self._serve(scope))
        try:
            if await self._accepted:
                await super().get(*args, **kwargs)
            elif not self._finished:
                self.finish()
        finally:
            self._leave()
            await app

    async def _serve(self, scope: dict[str, Any]) -> None:
        try:
            await self.mount.app(scope, self._inbox.get, self._send)
        except Exception as error:
            if not isinstance(error, OSError):  # an OSError tells the app of the disconnect
                _log.error("The websocket of %s failed", scope["path"], kind=origin_of(error), exc_info=True)
        finally:
            if not self._accepted.done():
                self.set_status(500)
                self._decide(False)
            self.close(1011)  # has no effect if the app has closed it
            self._leave()

    def open(self, *args: str, **kwargs: str) -> None:
        """Let the app send: the handshake is done."""
        self.set_nodelay(True)  # Nagle's algorithm with delayed acks costs 40 ms an event
        self._is_open.set()

    async def on_message(self, message: str | bytes) -> None:
        """Hand a message to the app; nothing more is read until the queue has room."""
        kind = "text" if isinstance(message, str) else "bytes"
        await self._inbox.put({"type": "websocket.receive", kind: message})

    def on_close(self) -> None:
        """Tell the app that the websocket has closed."""
        self._leave(self.close_code, self.close_reason)

    def _leave(self, code: int | None = None, reason: str | None = None) -> None:
        self._inbox.end({"type": "websocket.disconnect", "code": code or 1006, "reason": reason or ""})
        self._is_open.set()

    async def _send(self, event: Event) -> None:
        match event["type"]:
            case "websocket.accept":
                await self._accept(event)
            case "websocket.send":
                await self._write(event)
            case "websocket.close" if self._accepted.done():
                self.close(event.get("code", 1000), event.get("reason") or None)
            case "websocket.close":
                self.set_status(403)
                self._decide(False)
            case "websocket.http.response.start":
                self.set_status(event["status"])
                set_headers(self, event.get("headers", ()))
            case "websocket.http.response.body":
                self.write(bytes(event.get("body", b"")))
                if not event.get("more_body", False):
                    self._decide(False)

    def _decide(self, accepted: bool) -> None:
        if self._accepted.done():  # the client has disconnected
            raise ConnectionResetError
        self._accepted.set_result(accepted)

    async def _accept(self, event: Event) -> None:
        self._subprotocol = event.get("subprotocol")
        for name, value in event.get("headers", ()):
            self.add_header(name.decode("latin-1"), value.decode("latin-1"))
        self._decide(True)
        await self._is_open.wait()

    async def _write(self, event: Event) -> None:
        data = event.get("bytes")
        try:
            if data is None:
                await self.write_message(event["text"])
            else:
                await self.write_message(bytes(data), binary=True)
        except WebSocketClosedError as error:
            raise ConnectionResetError from error  # ASGI: sending after a disconnect raises an OSError

    def check_origin(self, origin: str) -> bool:
        """Allow all: the app checks the origin itself, and gives a reason when it refuses one."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The subprotocol that the app has chosen."""
        return self._subprotocol

    def compute_etag(self) -> None:
        """Add no ETag to a refusal."""

    @property
    def max_message_size(self) -> int:
        """The limit of a message, in bytes."""
        return self.mount.settings.websocket_max_message_size

    def get_compression_options(self) -> dict[str, Any] | None:
        """The compression options in the apps' settings."""
        settings = self.mount.settings
        level, mem_level = settings.websocket_compression_level, settings.websocket_compression_mem_level
        if level is None and mem_level is None:
            return None
        given = {"compression_level": level, "mem_level": mem_level}
        return {name: value for name, value in given.items() if value is not None}
