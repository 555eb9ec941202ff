import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.served_app import Served, both_loops, sending
from tests.support.waiting import until
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame

from hotshoe.http.scopes import BATCH
from hotshoe.server import websocket_protocol
from hotshoe.server.framing import frame_header, framed
from hotshoe.server.websocket_protocol import WebSocketProtocol


async def received(sock: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    """What comes over a socket until it is enough."""
    data = b""
    async with asyncio.timeout(10):
        while not enough(data):
            piece = await asyncio.get_running_loop().sock_recv(sock, 4096)
            assert piece, data
            data += piece
    return data


class Writes:
    """Counts what goes to the transport."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        real = WebSocketProtocol.connection_made
        writes = self

        class Counting:
            def __init__(self, transport: Any) -> None:
                self._transport = transport

            def __getattr__(self, name: str) -> Any:
                if name in ("write", "writelines"):
                    writes.calls.append(name)
                return getattr(self._transport, name)

        def connection_made(self: WebSocketProtocol, transport: Any) -> None:
            real(self, transport)
            self.transport = Counting(transport)  # type: ignore[assignment]

        monkeypatch.setattr(WebSocketProtocol, "connection_made", connection_made)


def view_of(data: Any) -> memoryview:
    return memoryview(data)


@given(st.integers(0, 70000), st.booleans())
def test_headers_are_those_of_the_library(length: int, binary: bool) -> None:
    from websockets.frames import Opcode

    frame = Frame(Opcode.BINARY if binary else Opcode.TEXT, bytes(length))
    assert frame_header(length, binary) + bytes(length) == frame.serialize(mask=False)


def test_a_header_for_more_than_four_gigabytes() -> None:
    assert frame_header(2**33, True) == struct.pack("!BBQ", 0x82, 127, 2**33)


def test_payloads_are_not_copied() -> None:
    array = np.arange(1000.0).reshape(10, 100)
    parts = framed([(view_of(array), True)])
    assert parts[1].nbytes == len(parts[1]) == 8000  # type: ignore[union-attr]
    assert np.shares_memory(np.frombuffer(parts[1]), array)


def test_odd_views_are_sent_whole() -> None:
    array = np.arange(10, dtype="f8")
    views = [view_of(each) for each in (array[::2], np.zeros((0, 3)), b"", np.array(3.0))]
    for view in views:
        header, payload = framed([(view, True)])
        assert bytes(payload) == view.tobytes()
        assert header == frame_header(view.nbytes, True)


@both_loops
async def test_a_batch_arrives_in_order_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch)
    batch = [("é{}".encode(), False), (b"", False), (b"{}", False), (b"[1]", False), (memoryview(b"\0\1"), True)]
    async with Served(sending(batch)) as served, served.connect() as client:
        assert [await client.recv() for _ in batch] == ["é{}", "", "{}", "[1]", b"\0\1"]
        assert writes.calls == ["write", "write"], "the handshake and the batch"


@both_loops
async def test_large_batches_are_not_copied_together(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch)
    sizes = [125, 126, 65535, 65536, 16_000_001]
    payloads = [bytes([index]) * size for index, size in enumerate(sizes)]
    async with Served(sending([(payload, True) for payload in payloads])) as served, served.connect() as client:
        for payload in payloads:
            assert await client.recv() == payload
        assert writes.calls == ["write", "writelines", "write"]


@both_loops
async def test_a_compressed_connection_gets_its_batch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch)
    app = sending([(b"text " * 100, False), (memoryview(bytes(1000)), True)])
    async with Served(app, ws_per_message_deflate=True) as served, served.connect(compression="deflate") as client:
        assert client.protocol.extensions
        assert await client.recv() == "text " * 100
        assert await client.recv() == bytes(1000)
        assert writes.calls == ["write", "write"]


@both_loops
async def test_nodelay_is_set() -> None:
    async with Served(sending()) as served, served.connect():
        sock = served.socket.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def _buffered(served: Served) -> int:
    connections = [each for each in served.state.connections if isinstance(each, WebSocketProtocol)]
    return sum(each.transport.get_write_buffer_size() for each in connections)


async def slow_reader(port: int) -> socket.socket:
    """A websocket that shakes hands and then reads nothing."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(
        sock,
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    return sock


@both_loops
async def test_a_slow_reader_holds_up_the_sender_only() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(100):
            await send({"type": BATCH, "fragments": [(bytes(1_000_000), True)]})
            sent += 1

    async with Served(app) as served:
        with await slow_reader(served.port):
            await until(lambda: sent)
            await asyncio.sleep(0.3)
            assert sent < 20
            assert served.socket.transport.get_write_buffer_size() < 3_000_000
        # A sender that waits for a peer that has gone must end.
        await until(lambda: not served.state.connections and not served.state.tasks)


@both_loops
async def test_closing_does_not_wait_for_a_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_TIMEOUT_S", 0.2)
    accepted = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        accepted.set()
        await send({"type": BATCH, "fragments": [(bytes(20_000_000), True)]})
        await send({"type": "websocket.close", "code": 1013})

    async with Served(app) as served:
        with await slow_reader(served.port):
            await accepted.wait()
            await until(lambda: not served.state.connections and not served.state.tasks)


@both_loops
async def test_pongs_do_not_pile_up_for_a_slow_reader() -> None:
    async with Served(sending([(bytes(20_000_000), True)])) as served:
        with await slow_reader(served.port) as sock:
            await until(lambda: _buffered(served) > 0)
            before = served.socket.transport.get_write_buffer_size()
            await asyncio.get_running_loop().sock_sendall(sock, b"\x89\x80\0\0\0\0" * 5000)
            await asyncio.sleep(0.1)
            assert 0 < served.socket.transport.get_write_buffer_size() <= before


@both_loops
async def test_sending_to_one_who_left_raises() -> None:
    outcome: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        try:
            await send({"type": BATCH, "fragments": [(b"x", False)]})
        except OSError as error:
            outcome.append(error)

    async with Served(app) as served:
        async with served.connect() as client:
            await client.send("x")
        await until(lambda: outcome)
    assert len(outcome) == 1


@both_loops
async def test_a_batch_before_accept_is_the_apps_mistake(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await send({"type": BATCH, "fragments": []})
        except RuntimeError as error:
            errors.append(str(error))
        await send({"type": "websocket.close"})

    async with Served(app) as served:
        with pytest.raises(Exception, match="403"):
            async with served.connect():
                pass
    assert len(errors) == 1


async def closing(client: ClientConnection) -> tuple[int | None, str]:
    async with asyncio.timeout(5):
        with suppress(ConnectionClosed):
            while True:
                await client.recv()
    return client.close_code, client.close_reason or ""


@pytest.mark.parametrize("length", [2001, 30_000_000])
@both_loops
async def test_too_big_messages_are_refused_with_words(length: int) -> None:
    async with Served(sending(), ws_max_size=2000) as served:
        client = await served.connect()
        sender = asyncio.create_task(client.send(bytes(length)))
        assert await closing(client) == (1009, "message too big")
        await asyncio.gather(sender, return_exceptions=True)


@both_loops
async def test_too_big_in_pieces() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(600)

    async with Served(sending(), ws_max_size=2000) as served, served.connect() as client:
        sender = asyncio.create_task(client.send(pieces()))
        assert (await closing(client))[0] == 1009
        await asyncio.gather(sender, return_exceptions=True)


@both_loops
async def test_what_came_before_a_bad_frame_is_delivered() -> None:
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            got.append(event.get("text"))
        got.append(event["code"])

    async with Served(app) as served:
        with await slow_reader(served.port) as sock:
            await asyncio.sleep(0.1)
            await asyncio.get_running_loop().sock_sendall(sock, b"\x81\x81\0\0\0\0a" + b"\xf1\x81\0\0\0\0b")
            await until(lambda: 1002 in got)
    assert got == ["a", 1002]
    assert served.state.counters.snapshot().refusals == (("message", 1),)


@both_loops
async def test_the_app_closes_with_code_and_reason() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})

    async with Served(app) as served, served.connect() as client:
        assert await closing(client) == (4001, "enough")


@both_loops
async def test_shutdown_shakes_hands_with_a_client_that_is_sending() -> None:
    async with Served(sending()) as served, served.connect() as client:
        await client.send("hello")

        async def chatter() -> None:
            while True:
                await client.send("x" * 10000)

        talker = asyncio.create_task(chatter())
        await asyncio.sleep(0.05)
        served.socket.shutdown()
        assert await closing(client) == (1012, "server stops")
        await asyncio.gather(talker, return_exceptions=True)
        await until(lambda: not served.state.connections and not served.state.tasks)


@both_loops
async def test_shutdown_waits_for_the_answer_to_a_close_that_was_sent() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1001})

    async with Served(app) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4) == b"\x88\x02\x03\xe9"
        served.socket.shutdown()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)  # that it does not close can only be waited for
        writer.write(b"\x88\x82\0\0\0\0\x03\xe9")
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()


@both_loops
async def test_pings_are_sent() -> None:
    async with Served(sending(), ws_ping_interval=0.2) as served:
        with await slow_reader(served.port) as sock:
            await received(sock, lambda data: data.count(b"\x89\x04") == 2)
            assert served.state.connections


@both_loops
async def test_who_misses_two_pings_is_gone(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_TIMEOUT_S", 0.1)
    caplog.set_level(logging.INFO)
    ended: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        ended.append((await receive())["code"])

    async with Served(app, ws_ping_interval=0.1) as served:
        with await slow_reader(served.port) as sock:
            began = asyncio.get_running_loop().time()
            await until(lambda: ended)
            assert asyncio.get_running_loop().time() - began > 0.25
            assert ended == [1006]
            data = await received(sock, lambda data: data.endswith(b"\x03\xf3no answer to pings"))
            assert data.count(b"\x89\x04") == 2
            await until(lambda: not served.state.connections)
    assert [record.getMessage().partition(" of ")[0] for record in caplog.records] == ["Closing the websocket"]


@both_loops
async def test_who_answers_or_talks_stays() -> None:
    async with Served(sending(), ws_ping_interval=0.2) as served, served.connect():
        with await slow_reader(served.port) as talker:
            for _ in range(20):
                await asyncio.sleep(0.05)
                await asyncio.get_running_loop().sock_sendall(talker, b"\x81\x80\0\0\0\0")
            assert len(served.state.connections) == 2


@both_loops
async def test_who_reads_slowly_stays() -> None:
    async with Served(sending([(bytes(40_000_000), True)]), ws_ping_interval=0.1) as served:
        with await slow_reader(served.port) as sock:
            for _ in range(20):
                await asyncio.sleep(0.05)
                await asyncio.get_running_loop().sock_recv(sock, 1_000_000)
            assert served.state.connections


@both_loops
async def test_who_is_not_read_from_is_not_blamed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(10)

    async with Served(app, ws_ping_interval=0.05) as served, served.connect(close_timeout=0.1) as client:
        for _ in range(3):
            await client.send("x")
        await until(lambda: served.socket.read_paused)
        await asyncio.sleep(0.5)
        assert not served.socket.close_sent


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can acknowledge at once")
@both_loops
async def test_a_client_with_nagles_algorithm_does_not_wait() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            if event.get("text") == "last":
                await send({"type": "websocket.send", "text": "answer"})

    async with Served(app) as served, served.connect() as client:
        client.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        took_s = []
        for _ in range(11):
            await asyncio.sleep(0.05)
            started = asyncio.get_running_loop().time()
            for text in ("first", "second", "last"):
                await client.send(text)
            assert await client.recv() == "answer"
            took_s.append(asyncio.get_running_loop().time() - started)
        assert min(took_s[-7:]) < 0.03  # the first are acknowledged at once by any
