"""uvicorn's websocket protocol, with what a Bokeh server needs in addition.

It sends all frames of a message in one write (an ASGI extension, ``BATCH``), closes with a handshake, never waits for
a client that does not read, and drops a client that does not answer pings. It parses few frames in one turn of the
event loop, and reads no more than may wait.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from websockets.exceptions import InvalidState
from websockets.http11 import Request

from ..base.backlog import Backlog
from ..base.counters import Refusal
from ..base.logs import PacedLog, PaceFilter
from ..http.scopes import BACKLOG, BATCH
from .frame_parsing import FrameProtocol
from .framing import Fragment, deflated, framed
from .http_protocol import set_nodelay
from .libraries import ClientDisconnected, CloseCode, Config, State, WebSocketsSansIOProtocol
from .limits import Pace, ServingState

CLOSE_TIMEOUT_S = 5.0
JOIN_BYTES = 65536
"""A batch up to this size is joined: one write of one buffer costs less than many small ones."""

PINGS_MISSED_MOST = 2
"""A client that misses so many pings in a row is gone."""

LATE_SLICES = 128
"""After our close, the client's close frame is looked for in so many slices of what was on its way."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux

_log = logging.getLogger(__name__)
_uvicorn_log = _log.getChild("uvicorn")
_uvicorn_log.setLevel(logging.WARNING)
_uvicorn_log.addFilter(PaceFilter())  # any client can cause its lines, at any rate


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
        self.conn: FrameProtocol = FrameProtocol(
            server_state.limits.head_bytes, extensions=extensions, max_size=config.ws_max_size, logger=_uvicorn_log
        )
        limits = self._limits = server_state.limits
        self._frames = Pace(self.loop, limits.frames_burst, limits.frames_per_s)
        self._inflated = Pace(self.loop, limits.inflated_burst_bytes, limits.inflated_bytes_per_s)
        self._backlog = Backlog(server_state.backlogs)
        self._next_slice: asyncio.Handle | None = None
        self._is_behind = False
        """Frames that have come are not parsed yet; no timer is needed while the app has messages to take."""
        self._is_wanted = False
        """The app waits for a message."""
        self._is_held = False
        """Reading is paused since enough waits."""
        self._is_deaf = False
        """What the client sends is dropped: we have closed, and it goes on sending."""
        self._late_slices = 0
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
        self._backlog.close()
        if self._next_slice is not None:
            self._next_slice.cancel()
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)  # the app's task exists now, but has not run yet
        if self.response.status_code == 101:
            cast("dict[str, Any]", self.scope["extensions"])[BATCH] = {}
            cast("dict[str, Any]", self.scope)[BACKLOG] = self._backlog

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self.conn.parser_exc is not None or self._is_deaf:
            return  # it has failed or ended; more data is read, so that no reset destroys our close frame
        self._acknowledge()
        self._backlog.received_bytes += len(data)
        if self._next_slice is None:
            self._parse(data)
        else:
            self.conn.reader.feed_data(data)  # it was on its way when reading was paused
            self._is_behind = True

    def _parse(self, data: bytes) -> None:
        """Parse some frames; if there are more, go on in another turn of the loop."""
        conn, reader = self.conn, self.conn.reader
        sent_bytes, payload_bytes = reader.unparsed_bytes + len(data), conn.payload_bytes
        reader.left = self._limits.slice_frames
        conn.receive_data(data)
        self.handle_events()
        if conn.parser_exc is not None:
            self.handle_parser_exception()
        elif not self.handshake_initiated and conn.handshake_exc is not None:
            self._refuse_handshake()
        else:
            sent_bytes, payload_bytes = sent_bytes - reader.unparsed_bytes, conn.payload_bytes - payload_bytes
            is_paced = conn.idle_frames or payload_bytes > sent_bytes
            delay_s = self._delay_s(sent_bytes, payload_bytes) if is_paced else 0.0
            self._is_behind = reader.left <= 0 and len(reader.buffer) > 0
            if self._frames.slowed_s > self._limits.slowed_s:
                conn.fail(CloseCode.POLICY_VIOLATION, "too many frames")
                self.handle_parser_exception()
            elif self._is_behind or delay_s:
                self._parse_later(delay_s)
            if conn.writes:
                self._send_pongs()
            self._flow()

    def _delay_s(self, sent_bytes: int, payload_bytes: int) -> float:
        """The time to wait after parsing so many bytes that became so many."""
        delay_s = 0.0
        if frames := self.conn.idle_frames:
            self.conn.idle_frames = 0
            delay_s = self._frames.delay(frames)
        if payload_bytes > sent_bytes:
            delay_s = max(delay_s, self._inflated.delay(payload_bytes - sent_bytes))
        return delay_s

    def _send_pongs(self) -> None:
        """Send the pongs of all pings together, but let none pile up for a client that pings and does not read."""
        pongs = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pongs)

    def _parse_later(self, delay_s: float) -> None:
        self._next_slice = (self.loop.call_later(delay_s, self._parse_more) if delay_s
                            else self.loop.call_soon(self._parse_more))

    def _parse_more(self) -> None:
        self._next_slice = None
        if self.read_paused or self.conn.parser_exc is not None or self._is_deaf:
            return  # the app has to take what was parsed before
        self._parse(b"")

    def _flow(self) -> None:
        """Read on, unless enough waits."""
        unparsed_bytes = self.conn.reader.unparsed_bytes
        is_partial = unparsed_bytes > 0 or bool(self.frames)
        unread_bytes = unparsed_bytes + self.conn.payload_bytes
        if unread_bytes <= self._limits.small_bytes:
            unread_bytes = 0
        if not (is_partial or unread_bytes or self._is_held or self._next_slice or self._backlog.has_unread):
            if not self.read_paused:
                self.transport.resume_reading()
            return
        if self.transport.is_closing():
            return
        if self.close_sent or self._ended:
            self._late_slices += self._is_behind
            kept_bytes = unparsed_bytes + sum(map(len, self.frames))
            if kept_bytes > self._limits.unread_bytes or self._late_slices > LATE_SLICES:
                self._is_deaf = True
                self.conn.reader.discard()
                self.frames = []
            unread_bytes, is_partial = 0, False
        self._backlog.set_unread(unread_bytes)
        self._is_held = self._is_enough(unread_bytes)
        if self._is_held:
            self.transport.pause_reading()
        elif not self.read_paused:
            self.transport.resume_reading()
        self._backlog.expect(is_partial and not self._is_held and not self.read_paused)

    def _is_enough(self, unread_bytes: int) -> bool:
        if self._next_slice is not None:
            return True
        if not unread_bytes:
            return False
        if not self._is_wanted and unread_bytes > self._limits.unread_bytes:
            return True
        if self._backlog.may_read():
            return False
        self._backlog.when_room(self._flow)
        return True

    async def receive(self) -> Any:
        if self.queue.empty():
            self._is_wanted = True
            if self._is_held:
                self._flow()
            try:
                message = await self.queue.get()
            finally:
                self._is_wanted = False
        else:
            message = self.queue.get_nowait()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.conn.payload_bytes = sum(map(len, self.frames))
            if self._backlog.has_unread:
                self._backlog.pass_on(0)
            if self._is_behind and self._next_slice is None:
                self._parse_later(0)
            self._flow()
        return message

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
        is_reading = not (self.read_paused or self._is_held)
        return self._heard or not is_reading or self.transport.get_write_buffer_size() < self._unsent_bytes

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
        """Nothing to do: ``_parse`` sends the pongs of all pings together."""

    def send_receive_event_to_app(self) -> None:
        try:
            super().send_receive_event_to_app()
        except InvalidState:  # text that is not UTF-8, and what came behind it has ended the connection already
            self.handle_parser_exception()

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
            self._resume_to_close()
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
        self.read_paused = False
        self._resume_to_close()
        self._abort_later()

    def _resume_to_close(self) -> None:
        """Read on until the client closes, too: otherwise it may not get our close frame."""
        if self._is_behind and self._next_slice is None:
            self._parse_later(0)
        self._flow()

    def _abort_later(self) -> None:
        """Give the closing handshake its time; ``close`` would wait for ever while the write buffer is full."""
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self.close_timeout, self._abort)

    def _abort(self) -> None:
        if not self.disconnected:
            self.transport.abort()
