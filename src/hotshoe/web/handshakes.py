"""Which websockets are let in, and those that are open."""

from __future__ import annotations

import asyncio
from typing import Any

from ..config import Settings
from ..hosts.host import Host
from .answers import Receive, Scope, Send
from .app_answers import app_of
from .following import Followers
from .origins import Origins
from .routes import Kind, Route
from .sockets import Socket, refuse_text
from .visits import Visits

_SHUTDOWN_GRACE_S = 5.0


class Handshakes:
    """Admits or refuses each websocket; closes all at the end."""

    def __init__(self, host: Host, settings: Settings, visits: Visits, origins: Origins) -> None:
        self._settings = settings
        self._visits = visits
        self._origins = origins
        self._followers = Followers(host)
        self._sockets: dict[Socket, asyncio.Task[Any]] = {}

    async def serve(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        """Serve one websocket from its handshake to its end."""
        follows = self._settings.dev and route.kind is Kind.ASSET and route.rest == "dev"
        if route.kind is not Kind.SOCKET and not follows:
            await refuse_text(scope, send, "There is no app at this address", 404)
        elif not self._origins.admit(scope):
            await refuse_text(scope, send, "Cross origin websockets not allowed", 403)
        elif follows:
            await self._followers.serve(scope, receive, send)
        else:
            await self._serve_app(scope, receive, send, app_of(route).url)

    async def _serve_app(self, scope: Scope, receive: Receive, send: Send, app: str) -> None:
        socket = Socket(scope, receive, send, app=app, visits=self._visits,
                        max_message_bytes=self._settings.websocket_max_message_size,
                        keep_alive_s=self._settings.keep_alive_milliseconds / 1000)
        task = asyncio.current_task()
        assert task is not None
        self._sockets[socket] = task
        try:
            await socket.run()
        finally:
            del self._sockets[socket]

    async def close(self) -> None:
        """End all; returns when they have ended, or after a while."""
        self._followers.close()
        for socket in self._sockets:
            socket.close(1001, "The server is shutting down")
        if self._sockets:
            await asyncio.wait(self._sockets.values(), timeout=_SHUTDOWN_GRACE_S)
