"""Websockets: a Tornado handler that asks the ASGI app before it shakes hands, then moves messages both ways."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from .inbox import Event, Inbox
from .mounting import Mount
from .pages import answer

_log = logging.getLogger(__name__)


class AppSocket(WebSocketHandler):
    """One websocket of an app. It is accepted, refused and closed by the app alone."""

    mount: ClassVar[Mount]
    _subprotocol: str | None = None

    def initialize(self, **more: Any) -> None:
        """Set up the way to the app, before anything can be heard of the visitor."""
        super().initialize(**more)
        self._inbox = Inbox()
        self._accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._is_open = asyncio.Event()

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Ask the app; then be a websocket until its end, or answer what the app says."""
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
            if not isinstance(error, OSError):  # the visitor has gone
                _log.exception("The websocket of %s failed", scope["path"])
        finally:
            if not self._accepted.done():
                self.set_status(500)
                self._decide(False)
            self.close(1011)  # if the app has not closed it
            self._leave()

    # -- from the visitor

    def open(self, *args: str, **kwargs: str) -> None:
        """Hands are shaken."""
        self.set_nodelay(True)  # Nagle's algorithm and a delayed ack together cost 40 ms an event
        self._is_open.set()

    async def on_message(self, message: str | bytes) -> None:
        """Hand it to the app; no more is read before it has room."""
        kind = "text" if isinstance(message, str) else "bytes"
        await self._inbox.put({"type": "websocket.receive", kind: message})

    def on_close(self) -> None:
        """The websocket has ended."""
        self._leave(self.close_code, self.close_reason)

    def _leave(self, code: int | None = None, reason: str | None = None) -> None:
        self._inbox.end({"type": "websocket.disconnect", "code": code or 1006, "reason": reason or ""})
        self._is_open.set()

    # -- from the app

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
                answer(self, event.get("headers", ()))
            case "websocket.http.response.body":
                self.write(bytes(event.get("body", b"")))
                if not event.get("more_body", False):
                    self._decide(False)

    def _decide(self, accepted: bool) -> None:
        if self._accepted.done():  # Tornado does not wait any more
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
            raise ConnectionResetError from error  # ASGI: whoever sends to one who has gone gets an OSError

    # -- what Tornado asks

    def check_origin(self, origin: str) -> bool:
        """The app looks at the origin itself, and says why it refuses one."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The one that the app has chosen."""
        return self._subprotocol

    def compute_etag(self) -> None:
        """A refusal has none."""

    @property
    def max_message_size(self) -> int:
        """In bytes."""
        return self.mount.settings.websocket_max_message_size

    def get_compression_options(self) -> dict[str, Any] | None:
        """As the apps' settings say."""
        settings = self.mount.settings
        level, mem_level = settings.websocket_compression_level, settings.websocket_compression_mem_level
        if level is None and mem_level is None:
            return None
        given = {"compression_level": level, "mem_level": mem_level}
        return {name: value for name, value in given.items() if value is not None}
