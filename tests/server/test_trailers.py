"""Trailers and other ways to bring headers past a proxy: our server refuses them, however they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.cases import every_case
from tests.support.fed_protocol import feed, splits
from tests.support.served_app import Served, both_loops
from tests.support.size import full_size
from tests.support.trailers import FIELDS, chunked, lines
from tests.support.waiting import until

from hotshoe.config.limit_table import Limits
from hotshoe.server.http_protocol import HttpProtocol

REFUSED = b"HTTP/1.1 400 Bad Request\r\n"
HEAD = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
NEXT = b"GET /next HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: root\r\n\r\n"


class Heard:
    """An app that keeps what it gets: paths, bodies, and the headers as they are when a request has ended."""

    def __init__(self, *, answers_first: bool = False) -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.answers_first = answers_first

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        body = bytearray()
        if self.answers_first:
            await self.answer(send)
        while (event := await receive())["type"] == "http.request":
            body += event["body"]
            if not event["more_body"]:
                self.bodies.append(bytes(body))
                break
        self.headers.append(scope["headers"])
        if not self.answers_first:
            await self.answer(send)

    @staticmethod
    async def answer(send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def protocols(app: Any, limits: Limits | None = None) -> Callable[[], HttpProtocol]:
    served = Served(app, limits)
    return lambda: HttpProtocol(served.config, served.state, {}, asyncio.get_running_loop())


@pytest.mark.parametrize("answers_first", [False, True])
async def test_each_field_at_every_split_of_reads(answers_first: bool) -> None:
    with every_case() as case:
        for name in FIELDS:
            for pieces in splits(chunked(*lines((name,)))):
                app = Heard(answers_first=answers_first)
                transport = await feed(protocols(app), [*pieces, NEXT])
                with case((name, pieces)):
                    assert set(app.paths) <= {"/"}, "what follows is not served"
                    assert all(headers == HEAD for headers in app.headers)
                    answers = transport.written.count(b"HTTP/1.1 ")
                    assert answers == 1, "never a second answer to one request"
                    assert transport.written.startswith(REFUSED) or (answers_first and app.paths == ["/"])
                    assert app.bodies == [] or answers_first


async def test_a_chunked_request_without_a_trailer_at_every_split() -> None:
    with every_case() as case:
        for pieces in splits(chunked(chunks=b"3;name=value\r\nabc\r\n0;last\r\n")):
            app = Heard()
            transport = await feed(protocols(app), [*pieces, NEXT])
            with case(pieces):
                assert (app.paths, app.bodies[0], app.headers[0]) == (["/", "/next"], b"abc", HEAD)
                assert transport.written.count(b"HTTP/1.1 200 ") == 2
                assert not transport.closed


async def test_the_headers_of_an_app_are_its_own() -> None:
    app = Heard()
    protocol = protocols(app)
    kept: list[HttpProtocol] = []

    def keeping() -> HttpProtocol:
        kept.append(protocol())
        return kept[0]

    await feed(keeping, [chunked()])
    kept[0].headers.append((b"x-forwarded-user", b"root"))
    assert app.headers == [HEAD]


@both_loops
async def test_what_is_not_body_counts() -> None:
    """A trailer whose name never ends, extensions, and chunks that are mostly extension."""
    limits = Limits(head_bytes=2000, request_s=60)
    size = 50_000_000 if full_size() else 2_000_000
    floods = {
        "name": (b"0\r\n", b"x" * 1000),
        "fields": (b"0\r\n", b"a: b\r\n" * 100),
        "extension": (b"1;", b"x" * 1000),
        "sizes": (b"", b"0" * 1000),
        "chunks": (b"", b"1;" + b"x" * 100 + b"\r\na\r\n"),
    }
    async with Served(Heard(), limits) as served:
        for name, (first, piece) in floods.items():
            answer, sent = await flood(served.port, chunked(chunks=first)[:-2], piece, size)
            assert answer.startswith((b"HTTP/1.1 431 ", REFUSED)), name
            assert sent < size, name
        await until(lambda: not served.state.connections)
    assert dict(served.state.counters.snapshot().refusals).get("head", 0) >= 3


async def flood(port: int, head: bytes, piece: bytes, size: int) -> tuple[bytes, int]:
    """The answer, and how much was sent until it came or the connection ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.read(100))
    writer.write(head)
    sent = 0
    try:
        while sent < size and not answer.done():
            writer.write(piece)
            sent += len(piece)
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    async with asyncio.timeout(60):
        found = await answer
    writer.close()
    return found, sent


@both_loops
async def test_a_body_in_chunks_of_one_byte_is_taken() -> None:
    app = Heard()
    async with Served(app, Limits(head_bytes=2000)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(chunked(chunks=b"")[:-2])
        for _ in range(300):
            writer.write(b"1\r\na\r\n" * 100)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        async with asyncio.timeout(60):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
    assert app.bodies == [b"a" * 30_000]


@both_loops
async def test_a_trailer_that_comes_slowly_is_given_up() -> None:
    app = Heard()
    async with Served(app, Limits(request_s=0.3)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(chunked(chunks=b"0\r\n")[:-2])
        answer = asyncio.create_task(reader.read())
        async with asyncio.timeout(60):
            while not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0.02)
        assert answer.result().startswith(b"HTTP/1.1 408 ")
        writer.close()
        await until(lambda: not served.state.tasks)
    assert app.bodies == []


ASKS = "Connection: upgrade\r\nUpgrade: "


@pytest.mark.parametrize("head", [
    f"POST / HTTP/1.1\r\nHost: localhost\r\n{ASKS}foo\r\nContent-Length: {len(NEXT)}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: localhost\r\n{ASKS}h2c\r\nContent-Length: {len(NEXT)}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: localhost\r\n{ASKS}websocket\r\nConnection: x\r\nContent-Length: {len(NEXT)}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: localhost\r\n{ASKS}websocket\r\nContent-Length: {len(NEXT)}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: localhost\r\n{ASKS}foo\r\nTransfer-Encoding: chunked\r\n\r\n{len(NEXT):x}\r\n",
    f"CONNECT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(NEXT)}\r\n\r\n",
    "POST http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST http://localhost/ HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n X-Forwarded-User: root\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\nX-Forwarded-User: root\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\rX-Forwarded-User: root\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User : root\r\n\r\n",
])
async def test_a_request_that_proxies_may_read_differently(head: str) -> None:
    """No byte of it is a request of its own, however it is split."""
    with every_case() as case:
        for pieces in splits(head.encode()):
            app = Heard()
            transport = await feed(protocols(app), [*pieces, NEXT])
            with case(pieces):
                assert app.paths == []
                assert transport.written.startswith(REFUSED)
                assert transport.written.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"1\r\nabc\r\n0\r\n", b"1;a\nb\r\na\r\n", b"1 \r\na\r\n", b"1\na\n0\n"])
async def test_a_broken_chunk_after_the_answer_gets_no_second_answer(chunks: bytes) -> None:
    app = Heard(answers_first=True)
    request = chunked(chunks=chunks)
    at = request.index(b"\r\n\r\n") + 4
    transport = await feed(protocols(app), [request[:at], request[at:], NEXT])
    assert transport.written.count(b"HTTP/1.1 ") == 1
    assert app.paths == ["/"]


async def test_an_upgrade_without_a_body_is_served_and_the_connection_closed() -> None:
    """Clients ask for HTTP/2 in this way. The parser would drop what follows in the same read."""
    app = Heard()
    request = f"GET / HTTP/1.1\r\nHost: localhost\r\n{ASKS}h2c\r\n\r\n".encode()
    for pieces in splits(request + NEXT):
        app.paths.clear()
        transport = await feed(protocols(app), pieces)
        assert app.paths == ["/"], pieces
        assert transport.closed
        assert transport.written.count(b"HTTP/1.1 200 ") == 1


async def test_a_url_with_the_host_of_its_header_is_served() -> None:
    app = Heard()
    await feed(protocols(app), [b"GET http://LocalHost/path HTTP/1.1\r\nHost: localhost\r\n\r\n"])
    assert app.paths == ["/path"]
