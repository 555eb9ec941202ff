"""An ASGI app on listening sockets, on the running loop: uvicorn's protocols without its server.

uvicorn's own ``Server`` owns the process (signals, logging, exit); a library must not.
"""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from typing import Any

from uvicorn.config import Config

from hotshoe.web.listening import BACKLOG, Listeners
from hotshoe.web.protocol import protocols
from hotshoe.web.serving_state import ServingState
from hotshoe.web.tls import Tls

KEEP_ALIVE_S = 620
"""Longer than proxies keep idle connections to a server, nginx and AWS 60 s, Google 600 s: whichever closes first must
be the proxy, or it sends a request into a connection that ends, and its visitor gets a 502. An idle connection takes
some 10 KB, and gives way when places run out; browsers close theirs themselves, sooner."""

CERTIFICATE_EVERY_S = 2.0
"""How often to look whether the certificate has changed."""

HANDSHAKE_TIMEOUT_S = 10.0
SHUTDOWN_TIMEOUT_S = 2.0
"""For TLS, where they are more than a packet."""


class Serving:
    """Serves ``app`` from ``start`` to ``stop``; both run on the same loop."""

    def __init__(
        self,
        app: Any,
        listeners: Listeners,
        *,
        max_message_bytes: int,
        ping_interval_s: float | None,
        state: ServingState | None = None,
        tls: Tls | None = None,
    ) -> None:
        http, websocket = protocols()
        self._listeners = listeners
        self._state = state or ServingState()
        self._tls = tls
        self._servers: list[asyncio.AbstractServer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._config = Config(
            app,
            http=http,
            ws=websocket,
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
        """Open connections, HTTP and websockets."""
        return len(self._state.connections)

    async def start(self) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        self._set_date()
        self._tasks = [loop.create_task(self._keep_date())]
        if self._tls is not None:
            self._tasks.append(loop.create_task(self._keep_certificate(self._tls)))
        for sock in self._listeners.sockets:
            self._servers.append(await self._serve(loop, sock))

    async def _serve(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> asyncio.AbstractServer:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return await loop.create_unix_server(self._protocol, sock=sock, backlog=BACKLOG)
        if self._tls is None:
            return await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG)
        return await loop.create_server(
            self._protocol,
            sock=sock,
            backlog=BACKLOG,
            ssl=self._tls.context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )

    def refuse(self) -> None:
        """Accept no more connections; those that are open go on."""
        for server in self._servers:
            server.close()
        self._listeners.close()

    async def stop(self, grace_s: float) -> None:
        """Close all connections: properly within ``grace_s``, by force after it."""
        self.refuse()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()
        if not await self._ended(grace_s):
            self._force()
            await self._ended(1.0)
        self._servers.clear()

    async def _ended(self, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while self._state.connections or self._state.tasks:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.01)
        return True

    def _force(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()

    def _protocol(self) -> asyncio.Protocol:
        return self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config,
            server_state=self._state,
            app_state={},
            _loop=asyncio.get_running_loop(),
        )

    def _set_date(self) -> None:
        # A list of its own each time: connections hold on to the one they got.
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]

    async def _keep_certificate(self, tls: Tls) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_EVERY_S)
            await asyncio.to_thread(tls.refresh)  # files may be slow, and so is the key of a key

    async def _keep_date(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._set_date()
