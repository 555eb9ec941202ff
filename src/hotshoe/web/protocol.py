"""uvicorn's protocol classes with what a Bokeh server needs on top; only here and in ``http_protocol`` are they known.

The websocket class sends all frames of a message in one write (an ASGI extension, ``BATCH``), closes with a
handshake, never waits for a peer that does not read, and gives up one that answers no pings.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from .deflating import deflated
from .http_protocol import HttpProtocol
from .sending import BATCH, framed, set_nodelay

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from uvicorn.config import Config
    from websockets.http11 import Request

    from .sending import Fragment
    from .serving_state import ServingState

CLOSE_TIMEOUT_S = 5.0
JOIN_BYTES = 65536
"""A batch up to this size is copied together: one buffer is cheaper to write than many small ones."""

PINGS_MISSED_MOST = 2
"""A peer that leaves so many pings in a row without an answer is gone."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux

_log = logging.getLogger(__name__)
_uvicorn_log = _log.getChild("uvicorn")
_uvicorn_log.setLevel(logging.WARNING)

_NEEDED = {
    WebSocketsSansIOProtocol: {
        "conn", "queue", "writable", "handshake_initiated", "handshake_complete", "close_sent", "disconnected",
        "close_timer", "close_timeout", "initial_response", "read_paused", "transport", "loop", "logger", "ping_timer",
    },
    HttpToolsProtocol: {
        "parser", "cycle", "transport", "loop", "logger", "access_log", "flow", "pipeline", "client", "headers",
        "timeout_keep_alive_task",
    },
}  # fmt: skip


class _Reader(StreamReader):
    def __init__(self, head_bytes: int) -> None:
        super().__init__()
        self._head_bytes = head_bytes

    def read_line(self, m: int, *more: Any) -> Any:
        # websockets takes no line beyond 8 KB; a token or the cookies of a login make longer ones.
        return super().read_line(max(m, self._head_bytes), *more)


class _Connection(ServerProtocol):
    def __init__(self, head_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self.reader = _Reader(head_bytes)
        self.parser = self.parse()
        next(self.parser)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Say "too big" as clients of Bokeh know it, without the sizes."""
        super().fail(code, "message too big" if code == CloseCode.MESSAGE_TOO_BIG else reason)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A websocket that can send several frames at once (see ``BATCH``)."""

    def __init__(
        self,
        config: Config,
        server_state: ServingState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _uvicorn_log
        self.close_timeout = CLOSE_TIMEOUT_S
        self._places = server_state.places
        extensions = self.conn.available_extensions if server_state.extension is None else [server_state.extension]
        self.conn: ServerProtocol = _Connection(
            server_state.limits.head_bytes, extensions=extensions, max_size=config.ws_max_size, logger=_uvicorn_log
        )
        self._socket: socket.socket | None = None
        self._missed_pings = 0
        self._heard = True
        """Something has come from the peer since the last ping; before the first, nobody was asked."""
        self._unsent_bytes = 0
        self._ended = False
        """This side has closed without the app's doing; what it sends now goes nowhere."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = set_nodelay(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._places.leave(self.transport)
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)  # the app's task exists now, but has not run yet
        if self.response.status_code == 101:
            cast("dict[str, Any]", self.scope["extensions"])[BATCH] = {}

    # -- receiving

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self.conn.parser_exc is not None:
            return  # failed: what still comes is read, so that our close frame is not lost to a reset
        self._acknowledge()
        self.conn.receive_data(data)
        self.handle_events()
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
        elif not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        """Send what websockets says of a head that it can't take; uvicorn would leave the peer waiting."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def _acknowledge(self) -> None:
        """Acknowledge at once: a client that has Nagle's algorithm on, as ``bokeh.client`` has, sends the next frame
        of its message only then, 40 ms later otherwise. Linux forgets the option, so it is set again each time."""
        if self._socket is not None and _QUICKACK is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def send_keepalive_ping(self) -> None:
        if self._is_alive():
            self._missed_pings = 0
        else:
            self._missed_pings += 1
        if self._missed_pings >= PINGS_MISSED_MOST:
            self._give_up()
            return
        self._heard = False
        super().send_keepalive_ping()
        self._unsent_bytes = self.transport.get_write_buffer_size()

    def _is_alive(self) -> bool:
        # A pong that we have not read is no pong missed, and one who takes what waits in front of the ping is there.
        return self._heard or self.read_paused or self.transport.get_write_buffer_size() < self._unsent_bytes

    def _give_up(self) -> None:
        """The peer is gone without a word: the app is told at once, the connection is cut soon."""
        self.ping_timer = None
        if self.close_sent or self._ended or self.transport.is_closing():
            return
        _log.info("Closing the websocket of %s: no answer to %d pings", self.client, PINGS_MISSED_MOST)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        if self.conn.state is State.OPEN:
            self.conn.send_close(CloseCode.INTERNAL_ERROR, "no answer to pings")
        self._close_from_here()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # pongs must not pile up for a peer that pings and does not read

    def handle_parser_exception(self) -> None:
        close = self.conn.close_sent
        if self.close_sent or close is None:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self._close_from_here()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # -- sending

    async def send(self, message: Any) -> None:
        kind = message["type"]
        if self._ended:
            raise ClientDisconnected
        if kind == BATCH:
            await self._send_batch(message["fragments"])
            return
        if kind == "websocket.close" and self.handshake_complete:
            self.writable.set()  # one who does not read must not keep us from closing
        await super().send(message)
        if kind == "websocket.close" and self.close_timer is not None:
            self._abort_later()
        if kind == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # by a refusal; uvicorn would take it for none and log an error

    async def _send_batch(self, fragments: Sequence[Fragment]) -> None:
        await self.writable.wait()
        if self.disconnected or self._ended:
            raise ClientDisconnected
        if not self.handshake_complete or self.close_sent or self.initial_response is not None:
            raise RuntimeError(f"'{BATCH}' needs a websocket that is accepted and not closed")
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            raise ClientDisconnected
        if self.conn.extensions:
            parts: Sequence[bytes | memoryview] = await deflated(fragments, self.conn.extensions)
            if self.conn.state is not State.OPEN or self.transport.is_closing():
                raise ClientDisconnected
        else:
            parts = framed(fragments)
        if sum(map(len, parts)) <= JOIN_BYTES:
            self.transport.write(b"".join(parts))
        else:
            # asyncio's writelines (of Python 3.13.0, for one) never pauses the protocol; its write does.
            self.transport.writelines(parts[:-1])
            self.transport.write(parts[-1])

    # -- closing

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self._abort_later()

    def shutdown(self) -> None:
        """Close because the server stops: 1012, the handshake, and no longer than ``CLOSE_TIMEOUT_S``."""
        if not self.handshake_complete or self.close_sent or self.conn.state is not State.OPEN:
            super().shutdown() if not self.handshake_complete else self.transport.close()
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.SERVICE_RESTART})
        self.conn.send_close(CloseCode.SERVICE_RESTART, "server stops")
        self._close_from_here()

    def _close_from_here(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self._ended = True
        self.writable.set()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._abort_later()

    def _abort_later(self) -> None:
        """Give the closing handshake its time; ``close`` alone would wait for a full buffer for ever."""
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self.close_timeout, self._abort)

    def _abort(self) -> None:
        if not self.disconnected:
            self.transport.abort()


def missing(base: type[asyncio.Protocol]) -> set[str]:
    """The attributes that the subclasses here rely on and that this uvicorn does not set."""
    return _NEEDED[base] - set(base.__init__.__code__.co_names)


def protocols() -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """The classes for HTTP and websockets: ours, or uvicorn's own if it has changed inside."""
    return _fitting(HttpToolsProtocol, HttpProtocol), _fitting(WebSocketsSansIOProtocol, WebSocketProtocol)


def _fitting(base: type[asyncio.Protocol], ours: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    if lacking := missing(base):
        _log.warning("this uvicorn's %s has no %s: using it as it is", base.__name__, ", ".join(sorted(lacking)))
        return base
    return ours
