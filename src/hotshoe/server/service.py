"""A running server: host, front and connections, from start to stop, on one loop.

uvicorn's protocols serve the connections, without uvicorn's ``Server``: that controls the whole process (signals,
logging, exit), which a library must not.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

from ..base import children
from ..base.counters import Counters
from ..base.process_threads import in_thread
from ..base.tasks import Deadline
from ..base.tasks import start as start_task
from ..config import Settings
from ..config.limit_table import Limits
from ..hosts import Host
from ..web.front import Front
from ..web.gate.auth_options import AuthOptions
from ..web.gate.proxies import Proxies
from ..web.site.sites import Site
from .framing import deflater
from .http_protocol import HttpProtocol
from .libraries import Config, check
from .limits import ServingState, max_connections
from .listening import BACKLOG, Listeners
from .tls import Tls
from .websocket_protocol import WebSocketProtocol

_log = logging.getLogger(__name__)

FRONT_SHARE = 0.9
"""The share of the shutdown time that sessions and hooks get; the rest is for connections."""
FRONT_LATE_S = 0.25
"""How long after that they are cancelled."""

KEEP_ALIVE_S = 620
"""Longer than proxies keep idle connections to a server (nginx and AWS 60 s, Google 600 s). The proxy must close
first; otherwise it may send a request into a closing connection, and its client gets a 502. An idle connection takes
about 10 KB, and is cut when the server is full; browsers close theirs sooner."""

CERTIFICATE_EVERY_S = 2.0
"""How often to check whether the certificate has changed."""

HANDSHAKE_TIMEOUT_S = 10.0
SHUTDOWN_TIMEOUT_S = 2.0
"""For the closing handshake of TLS."""


class Service:
    """Serves the apps of ``host`` on ``listeners``, on the running loop."""

    def __init__(self, host: Host, listeners: Listeners, settings: Settings, *, tls: Tls | None = None,
                 auth_options: AuthOptions = AuthOptions(), site: Site | None = None) -> None:  # noqa: B008 - it is immutable
        self._is_exposed = not listeners.are_local
        self._settings = settings
        only_local = listeners.are_local and not settings.unix_socket
        self.front = Front(host, settings=settings, only_local=only_local, auth_options=auth_options, site=site,
                           address=_address(settings, listeners))
        self._serving = Serving(
            self.front,
            listeners,
            max_message_bytes=settings.websocket_max_message_size,
            ping_interval_s=settings.keep_alive_milliseconds / 1000,
            state=_state(settings, site, self.front.counters),
            tls=tls,
        )

    async def start(self) -> None:
        """Run the load hooks. Requests that come meanwhile wait for them, except those for ``/_hotshoe/health``."""
        if self._settings.dev and self._is_exposed:
            _log.warning("Dev mode shows code and data to every client that can reach this server; "
                         "--address 127.0.0.1 allows only this machine")
        starting = asyncio.create_task(self.front.start())
        try:
            await self._serving.start()
            await starting
        except BaseException:
            await self.stop()
            raise

    def stop_listening(self) -> None:
        """Accept no more connections; open ones stay open."""
        self._serving.stop_listening()

    async def stop(self) -> None:
        """Close every socket, end all sessions, run all hooks."""
        self._serving.stop_listening()
        deadline = Deadline()
        front = deadline.share(FRONT_SHARE)
        grace_s = front.left_s + FRONT_LATE_S
        try:
            async with asyncio.timeout(grace_s):
                await self.front.stop(front)
        except TimeoutError:
            _log.warning("Stopping now: some sessions and hooks did not end within %g s", grace_s)
        finally:
            await self._serving.stop(deadline.left_s)


def _address(settings: Settings, listeners: Listeners) -> str:
    if settings.unix_socket:
        return str(Path(settings.unix_socket).absolute())
    return f"{settings.address or ''}:{listeners.port}"


def _state(settings: Settings, site: Site | None, counters: Counters) -> ServingState:
    extension = deflater(settings.websocket_compression_level, settings.websocket_compression_mem_level)
    limits = Limits.of(settings)
    limits = replace(limits, connections=limits.connections or max_connections())
    if site is not None:
        limits = replace(limits, body_bytes=0)  # the site limits its own bodies; web/gate limits our forms
    return ServingState(limits, Proxies.of(settings).is_client, extension, counters)


class Serving:
    """Serves an ASGI app on listening sockets, from ``start`` to ``stop``; both run on the same loop.

    Raises ``ConfigError`` if the inside of the installed uvicorn or websockets is unknown to us.
    """

    def __init__(self, app: Any, listeners: Listeners, *, max_message_bytes: int, ping_interval_s: float | None,
                 state: ServingState | None = None, tls: Tls | None = None) -> None:
        check()
        self._listeners = listeners
        self._state = state or ServingState()
        self._tls = tls
        self._servers: list[asyncio.AbstractServer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._config = Config(
            app,
            http=HttpProtocol,
            ws=WebSocketProtocol,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            forwarded_allow_ips="",
            workers=1,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws_max_size=max_message_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=ping_interval_s or None,
            ws_ping_timeout=None,
        )
        self._config.load()

    @property
    def connections(self) -> int:
        """The number of open connections, HTTP and websockets."""
        return len(self._state.connections)

    async def start(self) -> None:
        """Start to accept connections."""
        children.register(self)
        loop = asyncio.get_running_loop()
        self._set_date()
        self._tasks = [start_task("the Date header", self._keep_date)]
        if self._tls is not None:
            self._tasks.append(start_task("renewal of the certificate", partial(self._keep_certificate, self._tls)))
        for sock in self._listeners.sockets:
            self._servers.append(await self._serve(loop, sock))

    async def _serve(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> asyncio.AbstractServer:
        protocol = partial(HttpProtocol, self._config, self._state, {}, loop)
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return await loop.create_unix_server(protocol, sock=sock, backlog=BACKLOG)
        tls: dict[str, Any] = {} if self._tls is None else {
            "ssl": self._tls.context,
            "ssl_handshake_timeout": HANDSHAKE_TIMEOUT_S,
            "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT_S,
        }
        return await loop.create_server(protocol, sock=sock, backlog=BACKLOG, **tls)

    def after_fork(self) -> None:
        """A child must not hold ports and connections: they would stay open after the server has closed them."""
        connections = (connection.transport.get_extra_info("socket") for connection in self._state.connections)
        sockets = (*self._listeners.sockets, *connections)
        known = {sock.fileno() for sock in sockets if sock is not None}
        children.close_in_child(known.union(children.sockets_like(self._listeners.sockets)))

    def stop_listening(self) -> None:
        """Accept no more connections; open ones stay open."""
        for server in self._servers:
            server.close()
        self._listeners.close()

    async def stop(self, grace_s: float) -> None:
        """Close all connections: with handshakes for ``grace_s``, then by force."""
        self.stop_listening()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()
        if not await self._wait_until_ended(grace_s):
            for connection in list(self._state.connections):
                connection.transport.abort()
            for task in list(self._state.tasks):
                task.cancel()
            await self._wait_until_ended(1.0)
        self._servers.clear()
        children.unregister(self)

    async def _wait_until_ended(self, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while self._state.connections or self._state.tasks:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.01)
        return True

    def _set_date(self) -> None:
        # A new list each time: connections keep the one that they got.
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]

    async def _keep_certificate(self, tls: Tls) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_EVERY_S)
            await in_thread(tls.refresh)  # files may be slow, and so is decrypting a key

    async def _keep_date(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._set_date()
