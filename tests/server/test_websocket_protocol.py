import asyncio
import logging
import socket
import struct
import time
import zlib
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

from hotshoe.base.backlog import READ_BYTES
from hotshoe.config.limit_table import LIMITS, Limits
from hotshoe.http.scopes import BACKLOG, BATCH
from hotshoe.server import websocket_protocol
from hotshoe.server.frame_parsing import FrameProtocol
from hotshoe.server.framing import frame_header, framed
from hotshoe.server.websocket_protocol import WebSocketProtocol


async def received(sock: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    """What comes over a socket until it is enough."""
    data = b""
    async with asyncio.timeout(60):
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


@pytest.mark.parametrize("behind", [b"\x88\x80\0\0\0\0", b"\xf1\x81\0\0\0\0b", b"\x81\x81\0\0\0\0\xff"],
                         ids=["close", "bad frame", "more of it"])
@both_loops
async def test_text_that_is_not_utf8_and_what_comes_behind_it(behind: bytes, caplog: pytest.LogCaptureFixture) -> None:
    codes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        codes.append((await receive())["code"])

    async with Served(app) as served:
        with await slow_reader(served.port) as sock:
            await received(sock, lambda data: data.endswith(b"\r\n\r\n"))
            await asyncio.get_running_loop().sock_sendall(sock, b"\x81\x81\0\0\0\0\xff" + behind)
            await received(sock, lambda data: data.startswith(b"\x88"))
            await until(lambda: len(codes) == 1)
    assert codes[0] in (1002, 1005, 1007)
    assert [record for record in caplog.records if record.name == "asyncio"] == [], "data_received has failed"


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


# -- what one client may cost others


class Turns:
    """Counts the frames that are parsed in each turn of the event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames: list[int] = [0]
        real = FrameProtocol.recv_frame

        def recv_frame(connection: Any, frame: Frame) -> None:
            self.frames[-1] += 1
            real(connection, frame)

        monkeypatch.setattr(FrameProtocol, "recv_frame", recv_frame)
        self._tick()

    def _tick(self) -> None:
        if self.frames[-1]:
            self.frames.append(0)
        asyncio.get_running_loop().call_soon(self._tick)


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
    first = opcode | fin << 7 | rsv1 << 6
    if len(payload) < 126:
        return bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload
    return bytes((first, 0xFF)) + len(payload).to_bytes(8, "big") + bytes(4) + payload


IDLE = {
    "pings": masked(9),
    "pongs": masked(10, b"x"),
    "fragments": masked(0, fin=False),
}


async def hand_shaken(port: int, *headers: str) -> socket.socket:
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    lines = ["GET / HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *headers, "", ""]
    await loop.sock_sendall(sock, "\r\n".join(lines).encode())
    await received(sock, lambda data: b"\r\n\r\n" in data)
    return sock


def taking(seen: list[Any], wait: asyncio.Event | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if wait is not None:
            await wait.wait()
        while (event := await receive())["type"] != "websocket.disconnect":
            seen.append(event.get("text") or event.get("bytes"))

    return app


@pytest.mark.parametrize("kind", IDLE)
@both_loops
async def test_few_frames_are_parsed_in_one_turn(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    seen: list[Any] = []
    async with Served(taking(seen), Limits(slice_frames=8)) as served:
        turns = Turns(monkeypatch)
        sock = await hand_shaken(served.port)
        begin = masked(1, b"begin", fin=False) if kind == "fragments" else b""
        end = masked(0, b" end") if kind == "fragments" else masked(1, b"begin end")
        await asyncio.get_running_loop().sock_sendall(sock, begin + IDLE[kind] * 2000 + end)
        await until(lambda: seen, 60)
        assert seen == ["begin end"]
        assert sum(turns.frames) == 2001 + bool(begin)
        assert max(turns.frames) <= 8
        sock.close()


@pytest.mark.parametrize("kind", IDLE)
@both_loops
async def test_a_client_that_sends_nothing_at_an_absurd_rate_is_slowed_and_closed(kind: str) -> None:
    limits = Limits(slice_frames=8, frames_burst=10, frames_per_s=1, slowed_s=0.1)
    async with Served(taking([]), limits) as served:
        sock = await hand_shaken(served.port)
        begin = masked(1, b"begin", fin=False) if kind == "fragments" else b""
        await asyncio.get_running_loop().sock_sendall(sock, begin + IDLE[kind] * 3000)
        await received(sock, lambda data: b"too many frames" in data)
        sock.close()


@both_loops
async def test_whole_messages_are_not_slowed() -> None:
    seen: list[Any] = []
    async with Served(taking(seen), Limits(slice_frames=8, frames_burst=10, frames_per_s=1, slowed_s=0)) as served:
        sock = await hand_shaken(served.port)
        await asyncio.get_running_loop().sock_sendall(sock, masked(1, b"message") * 3000)
        await until(lambda: len(seen) == 3000, 60)
        assert set(seen) == {"message"}
        sock.close()


@both_loops
async def test_little_is_read_in_advance_for_an_app_that_is_busy() -> None:
    seen: list[Any] = []
    go_on = asyncio.Event()
    large = bytes(range(256)) * 32768
    async with Served(taking(seen, go_on)) as served, served.connect(ping_interval=None) as client:
        sending = asyncio.create_task(client.send(large))
        reader = served.socket.conn.reader
        await until(lambda: reader.unparsed_bytes > LIMITS.unread_bytes, 60)
        await asyncio.sleep(0.2)
        assert reader.unparsed_bytes <= LIMITS.unread_bytes + (1 << 18), "one read more"
        assert not sending.done()
        go_on.set()
        await until(lambda: seen, 60)
        await sending
        assert seen == [large]
        assert served.state.backlogs.all.nbytes in (0, len(large)), "the app does not tell that it has handled it"
    await until(lambda: served.state.backlogs.all.nbytes == 0, 60)


@both_loops
async def test_large_messages_of_many_take_turns() -> None:
    seen: list[Any] = []
    large = bytes(1 << 20)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            peak.append(served.state.backlogs.all.nbytes)
            seen.append(event["bytes"])
            scope[BACKLOG].set_in_hand(0, is_open=False)

    peak: list[int] = []
    async with Served(app, Limits(held_bytes=1 << 20)) as served:
        socks = [await hand_shaken(served.port) for _ in range(10)]
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(asyncio.gather(*[loop.sock_sendall(sock, masked(2, large)) for sock in socks]), 60)
        await until(lambda: len(seen) == 10, 60)
        assert set(seen) == {large}
        assert max(peak) <= (2 << 20) + 10 * READ_BYTES, "the bound, the oldest, and what each may send at once"
        for sock in socks:
            sock.close()


@both_loops
async def test_what_comes_after_our_close_is_dropped() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        await asyncio.sleep(60)

    async with Served(app) as served:
        sock = await hand_shaken(served.port)
        connection = served.socket
        await asyncio.get_running_loop().sock_sendall(sock, masked(2, bytes(8 << 20)))
        assert connection.conn.reader.unparsed_bytes <= LIMITS.unread_bytes + (1 << 18)
        await until(lambda: connection._is_deaf, 60)
        assert connection.conn.reader.unparsed_bytes == 0
        sock.close()


@both_loops
async def test_what_is_inflated_is_paced() -> None:
    seen: list[Any] = []
    limits = Limits(inflated_burst_bytes=1 << 20, inflated_bytes_per_s=1 << 22)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
    frames = []
    for _ in range(6):
        data = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_SYNC_FLUSH)
        frames.append(masked(2, data[:-4], rsv1=True))
    async with Served(taking(seen), limits, ws_per_message_deflate=True) as served:
        begun_s = time.monotonic()
        sock = await hand_shaken(served.port, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12")
        await asyncio.get_running_loop().sock_sendall(sock, b"".join(frames))
        await until(lambda: len(seen) == 6, 60)
        assert time.monotonic() - begun_s > 0.7, "before the last one came 4 MB more than the burst"
        sock.close()
