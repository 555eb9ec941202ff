import asyncio
import logging
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.support.served_app import Served, both_loops, sending
from tests.support.waiting import until

from hotshoe.config.limit_table import Limits
from hotshoe.http.scopes import BATCH
from hotshoe.server import http_protocol, limits

SHORT_S = 0.15


async def ok(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body, which it reads."""
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        if not event["more_body"]:
            break
    text = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


async def http(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """All that is answered, up to the end of the stream; a reset is an error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        answer = asyncio.create_task(reader.read())
        for part in parts:
            if answer.done():
                break
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(20):
            return await answer
    finally:
        writer.close()


def refusals(served: Served) -> dict[str, int]:
    return dict(served.state.counters.snapshot().refusals)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "hotshoe.limits"]


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.mark.parametrize("whole", [True, False])
@both_loops
async def test_a_large_head_is_refused_and_not_reset(whole: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with Served(ok) as served:
        head = HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(200))
        answer = await http(served.port, head + b"\r\n" if whole else head)
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"connection: close\r\n" in answer
        assert answer.endswith(b"\r\n\r\nThe request's URL, headers and cookies are too large together.")
        await until(lambda: not served.state.connections)
    assert len(lines(caplog)) == 1
    assert "--max-header-size" in lines(caplog)[0]
    assert refusals(served) == {"head": 1}


@pytest.mark.parametrize("line", [b"GET /%s HTTP/1.1\r\nHost: x\r\n", HEAD + b"Cookie: %s\r\n", HEAD + b"X%s: y\r\n"])
@both_loops
async def test_the_limit_of_heads_is_exact(line: bytes) -> None:
    limits = Limits(head_bytes=2000)
    async with Served(ok, limits) as served:
        fits, too_long = (line % (b"x" * length) + b"Connection: close\r\n\r\n" for length in (1900, 2000))
        assert (await http(served.port, fits)).startswith(b"HTTP/1.1 200 ")
        assert (await http(served.port, too_long)).startswith(b"HTTP/1.1 431 ")


@both_loops
async def test_a_large_head_of_a_websocket() -> None:
    async with Served(sending(), Limits(head_bytes=2000)) as served:
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        head = HEAD + upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: " + b"x" * 2000 + b"\r\n\r\n"
        assert (await http(served.port, head)).startswith(b"HTTP/1.1 431 ")
        assert not served.state.tasks


@both_loops
async def test_a_handshake_that_announces_a_body(caplog: pytest.LogCaptureFixture) -> None:
    async with Served(sending(), Limits(request_s=SHORT_S)) as served:
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 5\r\n\r\n"
        assert (await http(served.port, HEAD + upgrade + key)).startswith(b"HTTP/1.1 400 "), "there is no such thing"
        await until(lambda: len(served.state.places) == 0)
        await asyncio.sleep(2 * SHORT_S)  # nobody waits for the body any more
    assert caplog.messages == []


@both_loops
async def test_heads_may_be_larger_than_is_usual() -> None:
    served = Served(sending([(b"hello", False)]), Limits(head_bytes=300_000))
    async with served, served.connect(additional_headers={"Cookie": "x" * 200_000}) as client:
        assert await client.recv() == "hello"


@both_loops
async def test_a_slow_head_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async with Served(ok, Limits(request_s=SHORT_S)) as served:
        slowly = [HEAD[:3], *(b"%c" % byte for byte in HEAD[3:] * 10)]
        assert (await http(served.port, *slowly, pause_s=0.02)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert await http(served.port) == b"", "who asks nothing gets no answer"
        with suppress(ConnectionResetError):  # the last line may meet a connection that is closed
            assert await http(served.port, *[b"\r\n"] * 20, pause_s=0.02) == b""
        await until(lambda: not served.state.connections)
    assert len(lines(caplog)) == 1
    assert refusals(served) == {"late": 1}, "a client that asks nothing is not refused"


@both_loops
async def test_the_second_request_has_the_same_time() -> None:
    async with Served(ok, Limits(request_s=SHORT_S)) as served:
        answer = await http(served.port, HEAD + b"\r\n", HEAD, pause_s=0.05)
        assert answer.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 408 " in answer
        assert (await http(served.port, HEAD + b"\r\n", b"\r\n", pause_s=0.05)).endswith(b"ok")


@both_loops
async def test_zero_is_no_limit() -> None:
    async with Served(ok, Limits(request_s=0, body_bytes=0)) as served:
        answer = await http(served.port, b"GET /", b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", pause_s=0.2)
        assert answer.endswith(b"ok")


@both_loops
async def test_a_slow_answer_is_no_slow_request() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1.2)
        await reading(scope, receive, send)

    async with Served(slow, Limits(request_s=0.5)) as served:
        assert (await http(served.port, HEAD + b"Connection: close\r\n\r\n")).endswith(b"0")
        body = b"Content-Length: 300000\r\n\r\n" + bytes(300_000)
        assert (await http(served.port, POST + body)).endswith(b"300000")


@both_loops
async def test_a_slow_body_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive())["type"] != "http.disconnect":
            pass
        ended.append(event["type"])

    async with Served(noting, Limits(request_s=SHORT_S)) as served:
        head = POST + b"Content-Length: 100\r\n\r\n"
        assert (await http(served.port, head, *[b"x"] * 20, pause_s=0.02)).startswith(b"HTTP/1.1 408 ")
        await until(lambda: ended)
        assert (await http(served.port, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")).startswith(
            b"HTTP/1.1 408 ")
    assert len(lines(caplog)) == 1
    assert "--request-timeout" in lines(caplog)[0]
    assert refusals(served) == {"late": 2}


@both_loops
async def test_a_body_that_never_ends_after_its_answer() -> None:
    async with Served(ok, Limits(request_s=SHORT_S)) as served:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        answer = await http(served.port, head, *[b"x"] * 30, pause_s=0.02)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1") == 1


CHUNK = b"%x\r\n%s\r\n" % (60_000, bytes(60_000))


@pytest.mark.parametrize("body", [
    b"Content-Length: 100001\r\n\r\n", b"Content-Length: 300000\r\n\r\n" + bytes(300_000),
    b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 2,
], ids=["announced", "sent", "chunked"])
@both_loops
async def test_a_large_body_is_refused(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with Served(reading, Limits(body_bytes=100_000)) as served:
        answer = await http(served.port, POST + body)
        assert answer.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
        assert answer.endswith(b"The request's body is too large.")
        fits = b"Content-Length: 100000\r\n\r\n" + bytes(100_000)
        assert (await http(served.port, POST + fits)).endswith(b"100000")
        await until(lambda: not served.state.tasks)
    assert "--max-body-size" in lines(caplog)[0]
    assert refusals(served) == {"body": 1}


@both_loops
async def test_a_flood_after_a_refusal_is_cut() -> None:
    async with Served(ok, Limits(body_bytes=1000)) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(POST + b"Content-Length: 10000000000\r\n\r\n")

        async def flood() -> None:
            while True:
                writer.write(bytes(100_000))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(), 20)
        writer.close()


@both_loops
async def test_who_does_not_read_the_refusal_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_S", 0.1)
    async with Served(ok, Limits(head_bytes=1000)) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as sock:
            sock.sendall(HEAD + b"x" * 2000)
            await until(lambda: served.state.connections)
            await until(lambda: not served.state.connections)


async def large(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"50000000")]})
    for _ in range(50):
        await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
    await send({"type": "http.response.body"})


@both_loops
async def test_who_does_not_read_an_answer_is_cut(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "STALL_TIMEOUT_S", 0.2)
    async with Served(large) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as deaf:
            deaf.sendall(HEAD + b"\r\n")
            await until(lambda: served.state.tasks)
            await until(lambda: not served.state.connections and not served.state.tasks)
    assert "has not read its response" in lines(caplog)[0]
    assert refusals(served) == {"stalled": 1}


@both_loops
async def test_who_reads_slowly_is_served(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(limits, "STALL_TIMEOUT_S", 1.0)
    async with Served(large) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 16)
        writer.write(HEAD + b"Connection: close\r\n\r\n")
        size, began = 0, asyncio.get_running_loop().time()
        while piece := await reader.read(100_000):
            size += len(piece)
            await asyncio.sleep(0.005)
        writer.close()
        assert size > 50_000_000
        assert asyncio.get_running_loop().time() - began > limits.STALL_TIMEOUT_S
    assert lines(caplog) == []


@both_loops
async def test_nonsense_is_answered() -> None:
    async with Served(ok) as served:
        negative = b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"
        hosts = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: example.org\r\n\r\n"
        upgrade = hosts.replace(b"\r\n\r\n", b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        no_host = b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n"
        versions = (b"GET /\r\n\r\n", b"GET /\r\nHost: x\r\n\r\n", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n")
        others = [b"GET %s HTTP/1.1\r\nHost: own.example\r\n\r\n" % url for url in (
            b"http://other.example/", b"HTTP://own.example:81/", b"http://own.example@other.example/", b"http:///",
            b"https://other.example")]
        old = b"GET http://own.example/ HTTP/1.0\r\n\r\n"
        first = (b"\x16\x03\x01\x02\0\x01\0", b"nonsense\r\n\r\n", negative)
        for nonsense in (*first, hosts, upgrade, no_host, *versions, *others, old):
            answer = await http(served.port, nonsense)
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), nonsense
        assert refusals(served) == {"malformed": 15}
        assert (await http(served.port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@both_loops
async def test_the_number_of_headers() -> None:
    """The handshake of a websocket may have a few more headers than its page."""
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (send({"type": "websocket.close"}) if scope["type"] == "websocket" else ok(scope, receive, send))

    close = b"Connection: close\r\n"
    upgrade = (b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n")
    async with Served(app) as served:
        for count, more, status in ((98, close, b"200"), (99, close, b"431"), (8000, close, b"431"),
                                    (120, upgrade, b"403"), (124, upgrade, b"431"), (8000, upgrade, b"431")):
            answer = await http(served.port, HEAD + more + b"a: b\r\n" * count + b"\r\n")
            assert answer.split()[1] == status, (count, more)


@both_loops
async def test_a_url_may_repeat_the_host() -> None:
    async with Served(ok) as served:
        answer = await http(served.port, b"GET http://Own.example:80/ HTTP/1.1\r\nHost: own.Example:80\r\n"
                                         b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


class Crowd:
    """Connections to a server, held open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.all: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def come(self, *parts: bytes, count: int = 1) -> None:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self.all.append((reader, writer))
            for part in parts:
                writer.write(part)

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(self, *exc: object) -> None:
        for _, writer in self.all:
            writer.close()


def waiting_app() -> tuple[Callable[..., Any], asyncio.Event]:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await ok(scope, receive, send)

    return app, go_on


@both_loops
async def test_half_open_connections_give_way(caplog: pytest.LogCaptureFixture) -> None:
    async with Served(ok, Limits(connections=10)) as served, Crowd(served.port) as crowd:
        await crowd.come(b"GET / HT", count=30)
        assert (await http(served.port, HEAD + b"Connection: close\r\n\r\n")).endswith(b"ok")
        await until(lambda: len(served.state.connections) <= 10)
        assert len(served.state.places) <= 10
    assert lines(caplog) == ["All places are taken: cut connections that waited for a request"]
    assert refusals(served) == {"evicted": 21}, "of 31"


@pytest.mark.parametrize(("limits", "status", "flag"), [
    (Limits(connections=5), b"503 Service Unavailable", "--max-connections "),
    (Limits(connections_per_address=5), b"429 Too Many Requests", "--max-connections-per-address"),
], ids=["all", "address"])
@both_loops
async def test_who_comes_when_all_are_busy_is_told(
    limits: Limits, status: bytes, flag: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, go_on = waiting_app()
    async with Served(app, limits) as served, Crowd(served.port) as crowd:
        await crowd.come(HEAD + b"\r\n", count=5)
        await until(lambda: len(served.state.tasks) == 5)
        for _ in range(3):
            answer = await http(served.port, HEAD + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert refusals(served) == {"connections": 3}
        go_on.set()
        for reader, _ in crowd.all:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert (await http(served.port, HEAD + b"Connection: close\r\n\r\n")).endswith(b"ok")
        await until(lambda: served.state.lingering == 0)
    assert len(lines(caplog)) == 2, "the third is that idle ones have given way"
    assert flag in lines(caplog)[0]


@both_loops
async def test_who_is_turned_away_and_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_S", 0.1)
    monkeypatch.setattr(http_protocol, "LINGERING_MOST", 3)
    app, _ = waiting_app()
    async with Served(app, Limits(connections=1)) as served, Crowd(served.port) as crowd:
        await crowd.come(HEAD + b"\r\n")
        await until(lambda: served.state.tasks)
        await crowd.come(count=20)
        await until(lambda: len(served.state.connections) == 1 and served.state.lingering == 0)


@both_loops
async def test_websockets_keep_their_place_until_they_end() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await ok(scope, receive, send)
            return
        assert BATCH in scope["extensions"]
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with Served(app, Limits(connections_per_address=2)) as served:
        async with served.connect(), served.connect():
            assert (await http(served.port, HEAD + b"\r\n")).startswith(b"HTTP/1.1 429 ")
            with pytest.raises(Exception, match="429"):
                async with served.connect():
                    pass
        await until(lambda: len(served.state.places) == 0)
        async with served.connect():
            assert len(served.state.places) == 1


@both_loops
async def test_each_kind_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async with Served(ok, Limits(head_bytes=1000, body_bytes=10)) as served:
        for _ in range(5):
            await http(served.port, HEAD + b"x" * 2000)
            await http(served.port, POST + b"Content-Length: 11\r\n\r\n")
    assert len(lines(caplog)) == 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


WORDS = [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\r\n\r\n", b"Content-Length: 5\r\n",
         b"Content-Length: 999\r\n", b"Transfer-Encoding: chunked\r\n",
         b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"x" * 300,
         b"Expect: 100-continue\r\n", b"\x81\x85\0\0\0\0hello", b"\0", b"Connection: close\r\n"]


@both_loops
async def test_whatever_comes_the_connection_ends_and_nothing_breaks(caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(4)

    async def any_kind(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(dice.choice([0, 0, 0.01]))
        await (sending() if scope["type"] == "websocket" else dice.choice([ok, reading]))(scope, receive, send)

    async with Served(any_kind, Limits(head_bytes=1000, body_bytes=600, request_s=0.5, connections=20)) as served:

        async def talk() -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            with suppress(ConnectionError):
                for _ in range(dice.randrange(1, 12)):
                    writer.write(b"".join(dice.choices(WORDS, k=dice.randrange(1, 6))))
                    await writer.drain()
                    await asyncio.sleep(0)
            writer.close()

        for _ in range(20):
            await asyncio.gather(*(talk() for _ in range(20)))
        await until(lambda: not served.state.connections and not served.state.tasks)
        assert len(served.state.places) == served.state.lingering == 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@both_loops
async def test_a_body_of_any_size_may_take_any_time_if_it_comes_fast_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LEAST_RATE", 1000)
    async with Served(reading, Limits(body_bytes=0, request_s=1.0)) as served:
        head = POST + b"Content-Length: 30000\r\n\r\n"
        assert (await http(served.port, head, *[b"x" * 1000] * 30, pause_s=0.05)).endswith(b"30000")
        assert (await http(served.port, head, *[b"x"] * 40, pause_s=0.05)).startswith(b"HTTP/1.1 408 ")
