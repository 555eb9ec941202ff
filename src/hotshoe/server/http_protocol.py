"""uvicorn's HTTP protocol with limits on the size and time of requests, and on the number of connections.

It refuses requests that a proxy in front may have understood in another way, and trailers: fields after the body of a
chunked request. The parser reports them like headers, but no proxy has looked at them.

A client that exceeds a limit gets a response before the connection closes. The server then still reads for a moment:
closing a connection with unread data resets it, and the client would lose the response.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ..base.counters import Refusal
from ..http.scopes import HAS_LEFT, HEAD_ONLY
from .libraries import Config, HttpToolsProtocol, RequestResponseCycle
from .limits import ServingState, Stall, Verdict

LINGER_S = 2.0
"""How long a refused client may take to read the response; what it still sends is discarded."""
LINGER_BYTES = 1 << 20
LEAST_RATE = 1024
"""The lowest rate, in bytes a second, of a body whose size is not limited."""
HEADERS_MOST = 100
WEBSOCKET_HEADERS_MOST = 128
"""This is the limit of websockets, which counts more headers than those of the page: else a page could be served, and
its websocket refused."""
LINGERING_MOST = 200
"""How many connections without a place may linger at once; more are cut."""
CHUNKING_MOST = 8
"""How many bytes a chunked body may need for each byte that it carries, beyond the limit of a head. Chunks of a single
byte need five."""

_uvicorn_log = logging.getLogger("hotshoe.server.websocket_protocol.uvicorn")
_uvicorn_log.setLevel(logging.WARNING)
# A task that is cancelled because the server stops has not failed.
_uvicorn_log.addFilter(lambda record: not record.exc_info or record.exc_info[0] is not asyncio.CancelledError)

_HEAD, _LATE, _BODY = b"431 Request Header Fields Too Large", b"408 Request Timeout", b"413 Content Too Large"
_MALFORMED = b"400 Bad Request"
_BODY_WARNING = "The body of a request is larger than --max-body-size: refused it"
_BODY_WORDS = "The request's body is too large."
_REFUSALS = {
    Verdict.FULL: (b"503 Service Unavailable", "All places on this server are taken. Please try again in a minute."),
    Verdict.ADDRESS_FULL: (b"429 Too Many Requests", "There are too many connections from your address."),
}


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with the limits of ``Limits``."""

    def __init__(self, config: Config, server_state: ServingState, app_state: dict[str, Any],
                 _loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _uvicorn_log
        self.access_log = False
        self._shared = server_state
        self._limits = server_state.limits
        self._head_bytes = 0
        self._body_bytes = self._body_seen = 0
        self._body_sent = 0
        """Bytes that have come for the body: with chunks and trailers, more than ``_body_bytes``."""
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = self._in_body = False
        self._begun = self._upgraded = self._was_paused = False
        self._lingers = False
        self._verdict = Verdict.ADMITTED
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        set_nodelay(transport)
        self._stall = Stall(transport, self.loop, partial(self._shared.refuse, Refusal.STALLED,
                                                          "A client has not read its response for a minute: cut the "
                                                          "connection"))
        address = self.client[0] if self.client else None
        self._verdict, victim = self._shared.places.enter(transport, address)
        if victim is not None:
            self._shared.refuse(Refusal.EVICTED, "All places are taken: cut connections that waited for a request")
            victim.abort()  # type: ignore[attr-defined]
        if self._verdict is not Verdict.ADMITTED:
            self._turn_away(address)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stall.end()
        self._abandon_requests()
        if self._verdict is not Verdict.ADMITTED:
            self._shared.lingering -= 1
        self._shared.places.leave(self.transport)
        super().connection_lost(exc)

    def _turn_away(self, address: str | None) -> None:
        if self._verdict is Verdict.ADDRESS_FULL:
            self._shared.refuse(Refusal.CONNECTIONS, "%s has as many connections as --max-connections-per-address "
                                "allows: refused another. If it is a proxy, set --use-xheaders and --trusted-proxies",
                                address)
        else:
            self._shared.refuse(Refusal.CONNECTIONS,
                                "There are as many connections as --max-connections allows: refused another")
        self._shared.lingering += 1
        if self._shared.lingering > LINGERING_MOST:
            self.transport.abort()
        else:
            self._start_timer(LINGER_S, self.transport.abort)

    def pause_writing(self) -> None:
        self._stall.begin()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stall.end()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._lingers:
            self._discard(data)
            return
        if self._verdict is not Verdict.ADMITTED:
            self._refuse(*_REFUSALS[self._verdict])
            return
        was_in_head, was_in_body = self._in_head, self._in_body
        super().data_received(data)
        if self._in_head and was_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse_head()
        elif self._in_body and was_in_body:
            self._body_sent += len(data)
            if self._body_sent > self._limits.head_bytes + (1 + CHUNKING_MOST) * self._body_bytes:
                self._shared.refuse(Refusal.HEAD, "What a chunked request has besides its body is larger than "
                                    "--max-header-size: refused it")
                self._refuse_rest(_HEAD, "The request has too much besides its body.")
        elif self._idles():
            self._expect_head()  # empty lines between two requests: they begin no request, but must end in time

    def _idles(self) -> bool:
        return (self._timer is None and self.timeout_keep_alive_task is None and not self._upgraded
                and (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing())

    def on_message_begin(self) -> None:
        if self._lingers:
            return
        self._expect_head()
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)
        elif not self._lingers:
            self._shared.counters.refuse(Refusal.MALFORMED)
            self._refuse_rest(_MALFORMED, "The request has a trailer.")

    def on_headers_complete(self) -> None:
        if self._lingers:
            return
        self._stop_timer()
        self._in_head = False
        self._shared.places.work(self.transport)
        head = _Head(self.headers)
        is_upgrade = self.parser.should_upgrade()
        if fault := head.fault(self.url, self.parser.get_http_version(), is_upgrade=is_upgrade):
            self.send_400_response(fault)
            return
        most = WEBSOCKET_HEADERS_MOST if is_upgrade else HEADERS_MOST
        if head.size + len(self.url) > self._limits.head_bytes or len(self.headers) > most:
            self._refuse_head()
            return
        if self._limits.body_bytes and head.body > self._limits.body_bytes:
            self._shared.refuse(Refusal.BODY, _BODY_WARNING)
            self._refuse(_BODY, _BODY_WORDS)
            return
        self._body_bytes = self._body_seen = self._body_sent = 0
        if head.body:
            self._in_body = True
            self._start_timer(self._limits.request_s, self._body_is_late)
        self.scope["headers"] = self.headers.copy()  # the app's own: nothing that comes later is added to it
        self.scope[HEAD_ONLY] = True  # type: ignore[literal-required]
        self.scope[HAS_LEFT] = self.transport.is_closing  # type: ignore[literal-required]
        super().on_headers_complete()
        if is_upgrade and not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser drops what it takes for another protocol

    def on_body(self, body: bytes) -> None:
        if self._lingers:
            return
        self._body_bytes += len(body)
        if self._limits.body_bytes and self._body_bytes > self._limits.body_bytes:
            self._shared.refuse(Refusal.BODY, _BODY_WARNING)
            self._refuse_rest(_BODY, _BODY_WORDS)
            return
        super().on_body(body)
        self._was_paused |= self.flow.read_paused

    def on_message_complete(self) -> None:
        if self._lingers:
            return
        self._stop_timer()
        self._in_body = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            self._shared.places.wait(self.transport)

    def handle_websocket_upgrade(self) -> None:
        if self._lingers:
            return
        self._upgraded = True
        self._stop_timer()
        self._stall.end()
        super().handle_websocket_upgrade()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._in_head = True
        self._begun = False
        self._start_timer(self._limits.request_s, self._head_is_late)

    def _head_is_late(self) -> None:
        if not self._begun:
            self.transport.close()  # without a response, as there is no request: browsers open connections in advance
            return
        self._shared.refuse(Refusal.LATE, "The head of a request took longer than --request-timeout: refused it")
        self._refuse(_LATE, "The request took too long to arrive.")

    def _body_is_late(self) -> None:
        if self.flow.read_paused or self._was_paused:  # the app did not read all the time: the client is not late
            self._was_paused = False
            self._start_timer(self._limits.request_s, self._body_is_late)
            return
        if not self._limits.body_bytes and self._body_bytes - self._body_seen >= LEAST_RATE * self._limits.request_s:
            # A body without a limit of size may take any time, as long as data comes.
            self._body_seen = self._body_bytes
            self._start_timer(self._limits.request_s, self._body_is_late)
            return
        self._shared.refuse(Refusal.LATE, "The body of a request took longer than --request-timeout: refused it")
        self._refuse_rest(_LATE, "The request took too long to arrive.")

    def _start_timer(self, delay_s: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        if delay_s:
            self._timer = self.loop.call_later(delay_s, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_head(self) -> None:
        self._shared.refuse(Refusal.HEAD, "The head of a request is larger than --max-header-size, or has more than "
                            f"{HEADERS_MOST} headers: refused it")
        self._refuse(_HEAD, "The request's URL, headers and cookies are too large together.")

    def _refuse_rest(self, status: bytes, words: str) -> None:
        """Refuse the rest of a request that may already have its response."""
        if self.cycle.response_complete:
            self._linger()
        else:
            self._refuse(status, words)

    def send_400_response(self, msg: str) -> None:
        self._shared.counters.refuse(Refusal.MALFORMED)
        if self._in_body:
            self._refuse_rest(_MALFORMED, msg)
        else:
            self._refuse(_MALFORMED, msg)

    def _refuse(self, status: bytes, words: str) -> None:
        """Respond, and close when the client has had time to read; only close if a response is being sent."""
        if self._lingers:
            return
        cycle = self.cycle
        is_sending = cycle is not None and cycle.response_started and not cycle.response_complete
        if is_sending or self.pipeline or self.transport.is_closing():
            self._lingers = True  # until the loop has closed it
            self._stop_timer()
            self.transport.abort()
            return
        headers = [*self._shared.default_headers, (b"content-type", b"text/plain; charset=utf-8"),
                   (b"content-length", b"%d" % len(words)), (b"x-content-type-options", b"nosniff"),
                   (b"connection", b"close")]
        lines = [b"HTTP/1.1 " + status, *(b"%s: %s" % pair for pair in headers), b"", words.encode()]
        self.transport.write(b"\r\n".join(lines))
        self._linger()

    def _linger(self) -> None:
        self._lingers = True
        self._body_bytes = 0
        self._abandon_requests()
        self._unset_keepalive_if_required()
        self._start_timer(LINGER_S, self.transport.abort)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _abandon_requests(self) -> None:
        """Mark requests as disconnected: responses are discarded. (uvicorn marks only the last of several.)"""
        for cycle in (self._running, self.cycle):
            if cycle is not None:
                cycle.disconnected, cycle.waiting_for_100_continue = True, False
                cycle.message_event.set()

    def _discard(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > LINGER_BYTES:
            self.transport.abort()


class _Head:
    """What the headers say of the request's size and framing."""

    __slots__ = ("body", "codings", "hosts", "size")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.size = 0
        self.body = 0
        """The length of the body; 1 if the headers do not give it."""
        self.hosts: list[bytes] = []
        self.codings: list[bytes] = []
        for name, value in headers:
            self.size += len(name) + len(value) + 4
            if name == b"host":
                self.hosts.append(value.lower())
            elif name == b"content-length":
                self.body = int(value)  # the parser has checked that it is a number
            elif name == b"transfer-encoding":
                self.codings.append(value.lower())
                self.body = 1

    def fault(self, url: bytes, version: str, *, is_upgrade: bool) -> str:
        """Why the request is refused: a proxy in front may have read it differently (RFC 9112, 3.2, 6.1 and 9.6)."""
        if version not in ("1.1", "1.0"):  # the parser also takes 0.9, which has no headers, and 2.0
            return "The request is not of HTTP/1.1."
        if not self.hosts and version == "1.1":
            return "The request has no Host header."
        if len(self.hosts) > 1:
            return "The request has several Host headers."
        if not url.startswith((b"/", b"*")) and self.hosts != [url.lower().partition(b"://")[2].partition(b"/")[0]]:
            return "The request's URL has another host than its Host header."
        if self.codings and (self.codings != [b"chunked"] or version != "1.1"):
            return "The request has a Transfer-Encoding that is not just chunked."
        if is_upgrade and self.body:
            # The parser skips this body, and would take what comes of it later for the next request.
            return "A request that asks for another protocol can't have a body."
        return ""


def set_nodelay(transport: asyncio.BaseTransport) -> socket.socket | None:
    """Turn off Nagle's algorithm: with delayed acks it costs 40 ms an event, and not every loop turns it off.

    Returns the socket if it is a TCP socket.
    """
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    with suppress(OSError):  # the client may be gone already
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
