"""Requests over HTTP/1.1: heads, bodies, chunks, trailers, several requests on one connection.

h11 reads the same bytes. It is stricter than llhttp, our parser: where both read a request, it must be the same one.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import h11
from tests.fuzz.driver import Parser
from tests.fuzz.transports import Fed, pieces_of, run_loop

from hotshoe.server.limits import ServingState

LIMITS = replace(ServingState().limits, head_bytes=2000, body_bytes=3000)

LENIENCIES = re.compile(
    r"no request line received"  # RFC 9112, section 2.2: empty lines before a request are ignored
    r"|illegal request line: bytearray\(b'(\\\\r)*[A-Z]+ +\S+ +HTTP/1.[01]'\)"  # several spaces, or CRs in front
)
"""What h11 refuses and we accept: the texts of its errors, and why that is right."""

_TARGET_HOST = re.compile(rb"^[A-Za-z]+://[^/?#]*")
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


@dataclass(frozen=True)
class Request:
    """A request as an app sees it."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def wants_to_switch(self) -> bool:
        """Whether the client may speak another protocol after it."""
        return self.method == b"CONNECT" or any(name == b"upgrade" for name, _ in self.headers)


@dataclass
class Heard:
    """What became of the bytes of one connection."""

    requests: list[Request] = field(default_factory=list)
    statuses: list[bytes] = field(default_factory=list)
    is_refused: bool = False
    """Whether the connection was refused or cut."""


def run(data: bytes) -> Hashable:
    whole, split = run_loop(_ours([data])), run_loop(_ours(pieces_of(data)))
    for heard in (whole, split):
        for request in heard.requests:
            assert len(request.body) <= LIMITS.body_bytes
            assert sum(len(name) + len(value) for name, value in request.headers) <= LIMITS.head_bytes
            for name, value in request.headers:
                assert name == name.lower() != b""
                assert not re.search(rb"[\x00\r\n]", name + value)
    _compare_splits(whole, split)
    _compare_with_h11(split.requests, data)
    return tuple(split.statuses)


def _compare_splits(whole: Heard, split: Heard) -> None:
    """Both read the same requests, unless there is an error.

    Then the whole is refused at once, also before the responses to the requests in front of the error; and what comes
    after the last response of a connection is only read in the same piece.
    """
    if b"431" in whole.statuses + split.statuses:
        return  # a head in one piece may be larger by what does not count: line ends, and what stands before it
    few, many = sorted((whole.requests, split.requests), key=len)
    assert many[:len(few)] == few, "the requests differ"
    if few and few[-1].wants_to_switch:
        return  # what follows in the same piece is of another protocol, and not read
    assert whole.is_refused or few == many, "a request is lost"
    assert whole.is_refused or not split.is_refused, "only what comes in pieces is refused"


async def _ours(pieces: list[bytes]) -> Heard:
    heard = Heard()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        body = b""
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event["body"]
            if not event["more_body"]:
                break
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        heard.requests.append(Request(scope["method"].encode(), target, tuple(scope["headers"]), body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    fed = Fed(app, ServingState(LIMITS))
    await fed.feed(pieces)
    heard.statuses = _STATUS.findall(bytes(fed.transport.written))
    heard.is_refused = heard.statuses[-1:] >= [b"400"] or fed.transport.was_cut
    await fed.end()
    return heard


def _compare_with_h11(ours: list[Request], data: bytes) -> None:
    theirs, error = _of_h11(data)
    for mine, other in zip(ours, theirs, strict=False):
        assert _plain(mine) == _plain(other)
    if len(ours) > len(theirs) and not LENIENCIES.fullmatch(error):
        raise AssertionError(f"h11 refuses what we accept: {error}; we got {ours[len(theirs)]}")


def _plain(request: Request) -> Request:
    """Without what is the same in other words: the server's own host in the target, and spaces after a value."""
    return replace(request, target=_TARGET_HOST.sub(b"", request.target).partition(b"#")[0].rstrip(b"?") or b"/",
                   headers=tuple((name, value.rstrip(b" \t")) for name, value in request.headers))


def _of_h11(data: bytes) -> tuple[list[Request], str]:
    """The requests that h11 reads, and the error that it then finds."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 19)
    connection.receive_data(data)
    connection.receive_data(b"")
    found: list[Request] = []
    head: h11.Request | None = None
    body = b""
    try:
        while True:
            event = connection.next_event()
            match event:
                case h11.Request():
                    head, body = event, b""
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    assert head is not None
                    found.append(Request(head.method, head.target, tuple(head.headers), body))
                    connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
                    connection.send(h11.EndOfMessage())
                    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                        return found, f"the connection ends: {connection.our_state}"
                    connection.start_next_cycle()
                case _:
                    return found, f"no request: {event!r}"
    except h11.RemoteProtocolError as error:
        return found, str(error)


PARSER = Parser(
    "http", run, inputs=3000, memory_bytes=2 << 20,
    words=(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b": ", b"0\r\n\r\n", b"5\r\nhello\r\n", b"Host: x\r\n",
           b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
           b"Content-Length: 0\r\nContent-Length: 5\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
           b"Expect: 100-continue\r\n", b"Trailer: X\r\n", b"X: y\r\n", b" folded\r\n", b";name=value", b"HTTP/1.0",
           b"HTTP/1.1", b"HTTP/2.0", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST ", b"HEAD ", b"OPTIONS * ",
           b"CONNECT ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"http://y/", b"%2e%2e/", b"%00", b"?a=b", b"#c",
           b"chunked, gzip", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"\xff", b"\x00",
           b"ffffffffffffffff\r\n", b"0x5\r\n"),
)
