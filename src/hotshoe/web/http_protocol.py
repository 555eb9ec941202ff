"""uvicorn's HTTP protocol with limits: how large a request may be, how long it may take, how many may connect.

Who goes beyond them is answered before the connection closes: what still comes is read for a moment, since a
connection that is closed with unread data is reset, and the answer with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .departures import HAS_LEFT
from .places import Verdict
from .sending import set_nodelay
from .serving_state import ServingState
from .stalling import Stall

LINGER_S = 2.0
"""How long a peer that is refused may take to read why; what it still sends is thrown away."""
LINGER_BYTES = 1 << 20
LEAST_RATE = 1024
"""Bytes in a second of a body that may be of any size."""
LINGERING_MOST = 200
"""So many may linger at once without a place; more are cut off."""

_uvicorn_log = logging.getLogger("hotshoe.web.protocol.uvicorn")
_uvicorn_log.setLevel(logging.WARNING)
# What is cut off at the end of a server has not failed.
_uvicorn_log.addFilter(lambda record: not record.exc_info or record.exc_info[0] is not asyncio.CancelledError)

_HEAD, _LATE, _BODY = b"431 Request Header Fields Too Large", b"408 Request Timeout", b"413 Content Too Large"
_BODY_WARNING = "The body of a request is larger than --max-body-size: refused it"
_BODY_WORDS = "The request's body is too large."
_REFUSALS = {
    Verdict.FULL: (b"503 Service Unavailable", "All places on this server are taken. Please try again in a minute."),
    Verdict.ADDRESS_FULL: (b"429 Too Many Requests", "There are too many connections from your address."),
}


class HttpProtocol(HttpToolsProtocol):
    """HTTP whose requests have a largest size and a longest time."""

    def __init__(self, config: Config, server_state: ServingState, app_state: dict[str, Any],
                 _loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _uvicorn_log
        self.access_log = False
        self._shared = server_state
        self._limits = server_state.limits
        self._head_bytes = 0
        self._body_bytes = self._body_seen = 0
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._begun = self._upgraded = self._was_paused = False
        self._lingers = False
        self._verdict = Verdict.ADMITTED
        self._running: RequestResponseCycle | None = None

    # -- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        set_nodelay(transport)
        self._stall = Stall(transport, self.loop, self._tell_stall)
        address = self.client[0] if self.client else None
        self._verdict, victim = self._shared.places.enter(transport, address)
        if victim is not None:
            self._shared.warn("All places are taken: cut connections that waited for a request")
            victim.abort()  # type: ignore[attr-defined]
        if self._verdict is not Verdict.ADMITTED:
            self._turn_away(address)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stall.end()
        self._give_up_answers()
        if self._verdict is not Verdict.ADMITTED:
            self._shared.lingering -= 1
        self._shared.places.leave(self.transport)
        super().connection_lost(exc)

    def _turn_away(self, address: str | None) -> None:
        if self._verdict is Verdict.ADDRESS_FULL:
            self._shared.warn("%s has as many connections as --max-connections-per-address allows: turned it away. "
                              "If it is a proxy, --use-xheaders and --trusted-proxies say so", address)
        else:
            self._shared.warn("There are as many connections as --max-connections allows: turned a visitor away")
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

    def _tell_stall(self) -> None:
        self._shared.warn("A visitor has not read an answer for a minute: cut the connection")

    # -- what comes

    def data_received(self, data: bytes) -> None:
        if self._lingers:
            self._discard(data)
            return
        if self._verdict is not Verdict.ADMITTED:
            self._refuse(*_REFUSALS[self._verdict])
            return
        was_in_head = self._in_head
        super().data_received(data)
        if self._in_head and was_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse_head()
        elif self._idles():
            self._expect_head()  # empty lines between two requests: nothing has begun, but nothing may go on for ever

    def _idles(self) -> bool:
        return (self._timer is None and self.timeout_keep_alive_task is None and not self._upgraded
                and (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing())

    def on_message_begin(self) -> None:
        if self._lingers:
            return
        self._expect_head()
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._lingers:
            return
        self._stop_timer()
        self._in_head = False
        self._shared.places.work(self.transport)
        if sum(name == b"host" for name, _ in self.headers) > 1:  # RFC 9112, section 3.2: proxies may take another
            self._refuse(b"400 Bad Request", "The request names several hosts.")
            return
        size, length = _sizes(self.headers)
        if size + len(self.url) > self._limits.head_bytes:
            self._refuse_head()
            return
        if self._limits.body_bytes and length > self._limits.body_bytes:
            self._shared.warn(_BODY_WARNING)
            self._refuse(_BODY, _BODY_WORDS)
            return
        self._body_bytes = self._body_seen = 0
        if length:
            self._start_timer(self._limits.request_s, self._body_is_late)
        self.scope[HAS_LEFT] = self.transport.is_closing  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._lingers:
            return
        self._body_bytes += len(body)
        if self._limits.body_bytes and self._body_bytes > self._limits.body_bytes:
            self._shared.warn(_BODY_WARNING)
            self._refuse_rest(_BODY, _BODY_WORDS)
            return
        super().on_body(body)
        self._was_paused |= self.flow.read_paused

    def on_message_complete(self) -> None:
        if self._lingers:
            return
        self._stop_timer()
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

    # -- time

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._in_head = True
        self._begun = False
        self._start_timer(self._limits.request_s, self._head_is_late)

    def _head_is_late(self) -> None:
        if not self._begun:
            self.transport.close()  # nothing was asked, so nothing is answered: browsers open connections in advance
            return
        self._shared.warn("The head of a request took longer than --request-timeout: gave it up")
        self._refuse(_LATE, "The request took too long to arrive.")

    def _body_is_late(self) -> None:
        if self.flow.read_paused or self._was_paused:  # it is the app that does not read, or has not all the time
            self._was_paused = False
            self._start_timer(self._limits.request_s, self._body_is_late)
            return
        if not self._limits.body_bytes and self._body_bytes - self._body_seen >= LEAST_RATE * self._limits.request_s:
            # Of any size, it may take any time, as long as it goes on.
            self._body_seen = self._body_bytes
            self._start_timer(self._limits.request_s, self._body_is_late)
            return
        self._shared.warn("The body of a request took longer than --request-timeout: gave it up")
        self._refuse_rest(_LATE, "The request took too long to arrive.")

    def _start_timer(self, delay_s: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        if delay_s:
            self._timer = self.loop.call_later(delay_s, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- refusals

    def _refuse_head(self) -> None:
        self._shared.warn("The head of a request is larger than --max-header-size: refused it")
        self._refuse(_HEAD, "The request's address, headers and cookies are too large together.")

    def _refuse_rest(self, status: bytes, words: str) -> None:
        """Refuse the rest of a request, which may have its answer already."""
        if self.cycle.response_complete:
            self._linger()
        else:
            self._refuse(status, words)

    def send_400_response(self, msg: str) -> None:
        self._refuse(b"400 Bad Request", msg)

    def _refuse(self, status: bytes, words: str) -> None:
        """Answer, unless an answer is under way already, and close once the peer has had time to read it."""
        if self._lingers:
            return
        answers = self.cycle is not None and not self.cycle.response_complete
        begun = answers and self.cycle.response_started
        if begun or self.pipeline or self.transport.is_closing():
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
        self._give_up_answers()
        self._unset_keepalive_if_required()
        self._start_timer(LINGER_S, self.transport.abort)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _give_up_answers(self) -> None:
        """What apps still send goes nowhere. (uvicorn tells only the last of several requests on their way.)"""
        for cycle in (self._running, self.cycle):
            if cycle is not None:
                cycle.disconnected, cycle.waiting_for_100_continue = True, False
                cycle.message_event.set()

    def _discard(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > LINGER_BYTES:
            self.transport.abort()


def _sizes(headers: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """How large the headers are, and how long the body will be; 1 if they do not say how long."""
    size = length = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name == b"content-length":
            length = int(value)  # the parser lets no other through
        elif name == b"transfer-encoding":
            length = 1
    return size, length
