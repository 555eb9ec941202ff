"""Which websockets are let in, and those that are open."""

from __future__ import annotations

import asyncio
from typing import Any

from ..auth.user import User
from ..config import Settings
from ..errors import RemoteError
from ..hosts.host import Host
from ..sessions.failures import user_name
from .answers import Receive, Scope, Send
from .app_answers import app_of
from .failures import failure_of, logged
from .following import Followers
from .gatekeeper import NOT_ANY_MORE, Gatekeeper
from .origins import Origins
from .routes import Kind, Route
from .sockets import Socket, refuse_text
from .visits import Visits

LOGGED_OUT = 1008
"""RFC 6455: a policy; the page shows the reason."""
_SHUTDOWN_GRACE_S = 5.0


class Handshakes:
    """Admits or refuses each websocket; closes all at the end."""

    def __init__(self, host: Host, settings: Settings, visits: Visits, origins: Origins, gate: Gatekeeper) -> None:
        self._settings = settings
        self._gate = gate
        self._visits = visits
        self._origins = origins
        self._followers = Followers(host)
        self._sockets: dict[Socket, asyncio.Task[Any]] = {}
        self._users: dict[Socket, Scope] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._entering: list[set[str]] = []
        """For each handshake that is being admitted, who has logged out meanwhile."""

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
            gone: set[str] = set()
            self._entering.append(gone)
            try:
                admitted = await self._admitted(scope, send, route)
            finally:
                self._entering = [each for each in self._entering if each is not gone]
            if admitted is not None:
                has_left = user_name(admitted.get("user")) in gone
                await self._serve_app(admitted, receive, send, app_of(route).url, look_again=has_left)

    async def _admitted(self, scope: Scope, send: Send, route: Route) -> Scope | None:
        """The scope with its user; ``None`` if that was refused."""
        try:
            return await self._gate.enter(scope, route)
        except RemoteError as error:
            await refuse_text(scope, send, error.detail, error.status)
        except Exception as error:
            words, error_id = failure_of(error, scope["path"])
            await refuse_text(scope, send, f"{words} Error {error_id}", 500)
        return None

    def log_out(self, user: User) -> None:
        """Close the websockets of a login of ``user`` that has ended."""
        for gone in self._entering:
            gone.add(user.name)
        task = asyncio.create_task(self._log_out(user))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _log_out(self, user: User) -> None:
        theirs = [pair for pair in self._users.items() if user_name(pair[1].get("user")) == user.name]
        await asyncio.gather(*(self._look_again(socket, scope) for socket, scope in theirs))

    async def _look_again(self, socket: Socket, scope: Scope) -> None:
        if await self._has_ended(scope):
            socket.close(LOGGED_OUT, NOT_ANY_MORE)

    async def _has_ended(self, scope: Scope) -> bool:
        try:
            return await self._gate.has_ended(scope)
        except Exception:
            logged("A look at who has logged out")
            return True

    async def _serve_app(self, scope: Scope, receive: Receive, send: Send, app: str, *, look_again: bool) -> None:
        socket = Socket(scope, receive, send, app=app, visits=self._visits,
                        max_message_bytes=self._settings.websocket_max_message_size,
                        keep_alive_s=self._settings.keep_alive_milliseconds / 1000)
        task = asyncio.current_task()
        assert task is not None
        self._sockets[socket] = task
        self._users[socket] = scope
        try:
            if look_again:
                await self._look_again(socket, scope)
            await socket.run()
        finally:
            del self._sockets[socket]
            del self._users[socket]

    async def close(self) -> None:
        """End all; returns when they have ended, or after a while."""
        self._followers.close()
        for socket in self._sockets:
            socket.close(1001, "The server is shutting down")
        if self._sockets:
            await asyncio.wait(self._sockets.values(), timeout=_SHUTDOWN_GRACE_S)
