"""uvicorn's websocket protocol, with what a Bokeh server needs in addition.

It sends all frames of a message in one write (an ASGI extension, ``BATCH``), closes with a handshake, never waits for
a client that does not read, and drops a client that does not answer pings.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from websockets.http11 import Request

from ..base.counters import Refusal
from ..base.logs import PacedLog, PaceFilter
from ..http.scopes import BATCH
from .framing import Fragment, deflated, framed
from .http_protocol import set_nodelay
from .libraries import (
    ClientDisconnected,
    CloseCode,
    Config,
    ServerProtocol,
    State,
    StreamReader,
    WebSocketsSansIOProtocol,
)
from .limits import ServingState

CLOSE_TIMEOUT_S = 5.0
JOIN_BYTES = 65536
"""A batch up to this size is joined: one write of one buffer costs less than many small ones."""

PINGS_MISSED_MOST = 2
"""A client that misses so many pings in a row is gone."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux

_log = logging.getLogger(__name__)
_uvicorn_log = _log.getChild("uvicorn")
_uvicorn_log.setLevel(logging.WARNING)
_uvicorn_log.addFilter(PaceFilter())  # any client can cause its lines, at any rate


class _Reader(StreamReader):
    def __init__(self, head_bytes: int) -> None:
        super().__init__()
        self._head_bytes = head_bytes

    def read_line(self, m: int, *more: Any) -> Any:
        # websockets refuses lines over 8 KB; tokens and the cookies of a login are longer.
        return super().read_line(max(m, self._head_bytes), *more)


class _Connection(ServerProtocol):
    def __init__(self, head_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self.reader = _Reader(head_bytes)
        self.parser = self.parse()
        next(self.parser)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Close with the reason that clients of Bokeh know: "too big" without the sizes."""
        super().fail(code, "message too big" if code == CloseCode.MESSAGE_TOO_BIG else reason)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A websocket that can send several frames at once (see ``BATCH``)."""

    def __init__(self, config: Config, server_state: ServingState, app_state: dict[str, Any],
                 _loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _uvicorn_log
        self.close_timeout = CLOSE_TIMEOUT_S
        self._places = server_state.places
        self._counters = server_state.counters
        extensions = self.conn.available_extensions if server_state.extension is None else [server_state.extension]
        self.conn: ServerProtocol = _Connection(
            server_state.limits.head_bytes, extensions=extensions, max_size=config.ws_max_size, logger=_uvicorn_log
        )
        self._socket: socket.socket | None = None
        self._missed_pings = 0
        self._heard = True
        """The client has sent something since the last ping, or there was no ping yet."""
        self._unsent_bytes = 0
        self._ended = False
        """The server has closed the websocket, not the app; messages of the app are discarded."""

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

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self.conn.parser_exc is not None:
            return  # it has failed; more data is read, so that no reset destroys our close frame
        self._acknowledge()
        self.conn.receive_data(data)
        self.handle_events()
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
        elif not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        """Send the error response of websockets for a bad head; uvicorn would let the client wait."""
        self._counters.refuse(Refusal.MALFORMED)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def _acknowledge(self) -> None:
        """Send the TCP ack at once: a client with Nagle's algorithm, such as ``bokeh.client``, waits for it before
        it sends the next frame, 40 ms otherwise. Linux resets the option, so it is set each time."""
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
        # A pong that we have not read yet is not missed, and a client that still reads what we sent before is alive.
        return self._heard or self.read_paused or self.transport.get_write_buffer_size() < self._unsent_bytes

    def _give_up(self) -> None:
        """Drop a client that is gone without closing: tell the app at once, cut the connection soon after."""
        self.ping_timer = None
        if self.close_sent or self._ended or self.transport.is_closing():
            return
        PacedLog(_log).info("Closing the websocket of %s: no answer to %d pings", self.client, PINGS_MISSED_MOST)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        if self.conn.state is State.OPEN:
            self.conn.send_close(CloseCode.INTERNAL_ERROR, "no answer to pings")
        self._close_from_here()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # pongs must not pile up for a client that pings but does not read

    def handle_parser_exception(self) -> None:
        close = self.conn.close_sent
        if self.close_sent or close is None:
            return
        self._counters.refuse(Refusal.MESSAGE)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self._close_from_here()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    async def send(self, message: Any) -> None:
        kind = message["type"]
        if self._ended:
            raise ClientDisconnected
        if kind == BATCH:
            await self._send_batch(message["fragments"])
            return
        if kind == "websocket.close" and self.handshake_complete:
            self.writable.set()  # do not wait for a client that does not read
        await super().send(message)
        if kind == "websocket.close" and self.close_timer is not None:
            self._abort_later()
        if kind == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # ended by a refusal; else uvicorn logs that it was never completed

    async def _send_batch(self, fragments: Sequence[Fragment]) -> None:
        await self.writable.wait()
        if self.disconnected or self._ended:
            raise ClientDisconnected
        if not self.handshake_complete or self.close_sent or self.initial_response is not None:
            raise RuntimeError(f"'{BATCH}' needs an accepted websocket that is not closed")
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
            # In some versions (Python 3.13.0 for one) asyncio's writelines never pauses the protocol; write does.
            self.transport.writelines(parts[:-1])
            self.transport.write(parts[-1])

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self._abort_later()

    def shutdown(self) -> None:
        """Close because the server stops: with code 1012, a handshake, and ``CLOSE_TIMEOUT_S`` at most."""
        if not self.handshake_complete:
            super().shutdown()
            return
        if self.close_sent or self.conn.state is not State.OPEN:
            self._abort_later()  # the closing handshake has begun; without its end, browsers report an unclean close
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
        """Give the closing handshake its time; ``close`` would wait for ever while the write buffer is full."""
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self.close_timeout, self._abort)

    def _abort(self) -> None:
        if not self.disconnected:
            self.transport.abort()
