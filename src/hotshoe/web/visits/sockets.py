"""The open websockets of a front, from their handshake to their end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...base.backlog import Backlogs
from ...base.counters import Counters, Refusal
from ...base.errors import RemoteError
from ...base.logs import PacedLog
from ...base.tasks import Deadline
from ...base.threads import post
from ...base.users import user_name
from ...config import Settings
from ...config.limit_table import LIMITS
from ...hosts.host import AppInfo, Host
from ...http.responses import refuse_text
from ...http.scopes import PAGE_QUERY, Receive, Scope, Send
from ..gate.gatekeeper import NOT_ANY_MORE, Gatekeeper
from ..gate.origins import Origins
from ..routes import Kind, Route
from .following import Followers, Versions
from .opening import Opener, log_error
from .websockets import Socket, token_of

_log = PacedLog(logging.getLogger(__name__), most=20)

LOGGED_OUT = 1008
"""RFC 6455: policy violation. The page shows the reason."""
_ANYBODY = ""
"""Stands for all users; no user has this name."""


class Sockets:
    """Serves websockets or refuses their handshakes. Closes those of an ended login, and all at shutdown."""

    def __init__(self, host: Host, settings: Settings, opener: Opener, origins: Origins, gate: Gatekeeper,
                 versions: Versions, counters: Counters) -> None:
        self._settings = settings
        self._gate = gate
        self._opener = opener
        self._origins = origins
        self._counters = counters
        self._followers = Followers(host, versions)
        # Another server hides how a message arrives: there, the whole message has the time of the slowest line.
        progress_s = LIMITS.progress_s + settings.websocket_max_message_size / LIMITS.least_bytes_per_s
        self._backlogs = Backlogs(LIMITS.held_bytes, LIMITS.held_bytes_per_address, progress_s,
                                  LIMITS.least_bytes_per_s)
        self._open: dict[Socket, asyncio.Task[Any]] = {}
        """The open websockets, and the tasks that serve them."""
        self._endings: set[asyncio.Task[None]] = set()
        self._admitting: dict[asyncio.Task[Any], set[str]] = {}
        """The tasks of handshakes whose user is being checked, each with the users who have logged out meanwhile."""

    async def serve(self, scope: Scope, receive: Receive, send: Send, send_refusal: Send, route: Route) -> None:
        """Serve one websocket from its handshake to its end. ``send_refusal`` adds security headers to a refusal."""
        follows = self._settings.dev and route.kind is Kind.ASSET and route.rest == "dev"
        app = self._followers.app_of(scope) if follows else route.app if route.kind is Kind.SOCKET else None
        if (follows or app is not None) and not self._origins.admit(scope):
            self._counters.refuse(Refusal.ORIGIN)
            await refuse_text(scope, send_refusal, "Cross origin websockets not allowed", 403)
            return
        if app is None:
            await refuse_text(scope, send_refusal, "There is no app at this address", 404)
            return
        task, logged_out = _current_task(), set[str]()
        self._admitting[task] = logged_out
        try:
            admitted = await self._enter(scope, send_refusal, Route(Kind.SOCKET, app, up=route.up))
        finally:
            del self._admitting[task]
        if admitted is None:
            return
        if follows:
            await self._followers.serve(scope, app, receive, send)
            return
        user = user_name(admitted.get("user"))
        is_doubtful = user is not None and not logged_out.isdisjoint({user, _ANYBODY})
        await self._serve_app(admitted, receive, send, app, check_login=is_doubtful)

    async def _enter(self, scope: Scope, send_refusal: Send, route: Route) -> Scope | None:
        """The scope with its user; ``None`` if the handshake was refused."""
        if self._gate.asks_site:
            scope = {**scope, PAGE_QUERY: self._opener.page_query(scope, route.served_app, token_of(scope) or "")}
        try:
            with self._counters.count_refusals():
                return await self._gate.enter(scope, route)
        except RemoteError as error:
            await refuse_text(scope, send_refusal, error.detail, error.status)
        except Exception as error:
            words, error_id = log_error(error, scope["path"])
            await refuse_text(scope, send_refusal, f"{words} Error {error_id}", 500)
        return None

    def log_out(self, names: frozenset[str] | None) -> None:
        """Close the websockets of the named users whose login has ended; ``None`` stands for all users."""
        for logged_out in self._admitting.values():
            logged_out.update({_ANYBODY} if names is None else names)
        task = asyncio.create_task(self._log_out(names))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def close_all(self, reason: str) -> None:
        """Close all websockets, since nobody may open an app any more. For any thread."""
        for socket, task in list(self._open.items()):
            post(task.get_loop(), socket.close, LOGGED_OUT, reason)

    async def _log_out(self, names: frozenset[str] | None) -> None:
        users = [(socket, user_name(socket.scope.get("user"))) for socket in self._open]
        theirs = [socket for socket, user in users if user is not None and (names is None or user in names)]
        await asyncio.gather(*map(self._close_if_logged_out, theirs))

    async def _close_if_logged_out(self, socket: Socket) -> None:
        if await self._has_ended(socket.scope, socket.url):
            socket.close(LOGGED_OUT, NOT_ANY_MORE)

    async def _has_ended(self, scope: Scope, app: str) -> bool:
        try:
            return await self._gate.has_ended(scope, app)
        except Exception:
            _log.error("Could not check whether a login is still valid: its websocket is closed", exc_info=True)
            return True

    async def _serve_app(self, scope: Scope, receive: Receive, send: Send, app: AppInfo, *, check_login: bool) -> None:
        socket = Socket(scope, receive, send, app=app, opener=self._opener, counters=self._counters,
                        max_message_bytes=self._settings.websocket_max_message_size, backlogs=self._backlogs,
                        keep_alive_s=self._settings.keep_alive_milliseconds / 1000)
        self._open[socket] = _current_task()
        try:
            if check_login:
                await self._close_if_logged_out(socket)
            await socket.run()
        finally:
            del self._open[socket]

    async def close(self, deadline: Deadline) -> None:
        """Close all websockets. Returns when they have ended, or at the ``deadline``."""
        self._followers.close()
        for socket in self._open:
            socket.close(1001, "The server is shutting down")
        if self._open:
            await asyncio.wait(self._open.values(), timeout=deadline.left_s)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
