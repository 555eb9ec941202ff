"""Websockets through Tornado: the app accepts, refuses and closes, and each side waits for the other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.tornado_site import mounted
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hotshoe.config import Settings


def join(port: int, path: str = "/apps/ws", **more: Any) -> connect:
    return connect(f"ws://127.0.0.1:{port}{path}", compression=None, **more)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Accepts what is offered first, and sends back what comes; ``bye`` ends it."""
    assert (await receive())["type"] == "websocket.connect"
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None,
                "headers": [(b"x-app", b"yes")]})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you say"})
            return
        await send({**event, "type": "websocket.send"})


async def closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    return socket.close_code, socket.close_reason


async def test_text_bytes_subprotocol_and_close() -> None:
    async with mounted(echo) as port, join(port, subprotocols=["bokeh", "token"]) as socket:
        assert socket.subprotocol == "bokeh"
        assert socket.response is not None
        assert socket.response.headers["X-App"] == "yes"
        await socket.send("ä")
        assert await socket.recv() == "ä"
        await socket.send(b"\x00\xff")
        assert await socket.recv() == b"\x00\xff"
        await socket.send("bye")
        assert await closed(socket) == (4001, "as you say")


async def test_the_app_hears_how_it_ended() -> None:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        event = await receive()
        await heard.put(event)
        with pytest.raises(ConnectionResetError):
            await send({"type": "websocket.send", "text": "too late"})

    async with mounted(app) as port:
        async with join(port) as socket:
            await socket.close(4002, "enough")
        event = await asyncio.wait_for(heard.get(), 20)
        assert (event["type"], event["code"], event["reason"]) == ("websocket.disconnect", 4002, "enough")
        async with join(port) as socket:
            socket.transport.abort()
        event = await asyncio.wait_for(heard.get(), 20)
        assert (event["type"], event["code"]) == ("websocket.disconnect", 1006)


async def test_a_refusal_has_the_apps_status_and_words() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert "websocket.http.response" in scope["extensions"]
        await send({"type": "websocket.http.response.start", "status": 410, "headers": [(b"x-why", b"old")]})
        await send({"type": "websocket.http.response.body", "body": b"It ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"is gone"})

    async with mounted(app) as port:
        with pytest.raises(InvalidStatus) as refused:
            await join(port)
        answer = refused.value.response
        assert (answer.status_code, answer.body, answer.headers["X-Why"]) == (410, b"It is gone", "old")


async def test_a_refusal_without_words_and_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/apps/broken":
            raise ZeroDivisionError
        await send({"type": "websocket.close"})

    async with mounted(app) as port:
        for path, status in (("/apps/ws", 403), ("/apps/broken", 500)):
            with pytest.raises(InvalidStatus) as refused:
                await join(port, path)
            assert refused.value.response.status_code == status
    assert "ZeroDivisionError" in caplog.text


async def test_a_failure_after_the_handshake_closes(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        raise ZeroDivisionError

    async with mounted(app) as port, join(port) as socket:
        assert (await closed(socket))[0] == 1011
    assert "ZeroDivisionError" in caplog.text


async def test_a_handshake_that_is_none() -> None:
    async with mounted(echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /apps/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                     b"Sec-WebSocket-Version: 13\r\n\r\n")
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 20)
        writer.close()


async def test_any_origin_is_the_apps_matter() -> None:
    async with mounted(echo) as port, join(port, origin="http://elsewhere.example") as socket:
        await socket.send("x")
        assert await socket.recv() == "x"


async def test_a_message_that_is_too_large() -> None:
    settings = Settings(websocket_max_message_size=1000)
    async with mounted(echo, settings=settings) as port, join(port) as socket:
        await socket.send("x" * 1000)
        assert await socket.recv() == "x" * 1000
        await socket.send("x" * 1001)
        assert (await closed(socket))[0] == 1009


async def test_the_visitor_waits_for_an_app_that_does_not_read() -> None:
    go_on = asyncio.Event()
    got = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal got
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        while (event := await receive())["type"] == "websocket.receive":
            got += 1
            if event["bytes"] == b"last":
                await send({"type": "websocket.send", "text": "got it"})

    async with mounted(app) as port, join(port) as socket:
        sent = await push(socket, 64)
        go_on.set()
        await asyncio.wait_for(socket.send(b"last"), 60)
        assert await asyncio.wait_for(socket.recv(), 60) == "got it"
    assert sent < 64


async def push(socket: ClientConnection, most: int) -> int:
    """Sends so many messages of a MB, until nobody takes any more for a second."""
    for number in range(most):
        try:
            await asyncio.wait_for(socket.send(bytes(1 << 20)), 1)
        except TimeoutError:
            return number
    return most


async def test_an_app_waits_for_a_visitor_who_does_not_read() -> None:
    sent = 0
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(1 << 20)})
                sent += 1
        finally:
            ended.set()

    async with mounted(app) as port:
        async with join(port, max_queue=1, max_size=None) as socket:
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.5)
            assert sent < 64
            socket.transport.abort()
        await asyncio.wait_for(ended.wait(), 20)


async def test_compression_as_the_settings_say() -> None:
    settings = Settings(websocket_compression_level=6)
    async with mounted(echo, settings=settings) as port, connect(f"ws://127.0.0.1:{port}/apps/ws") as socket:
        assert [extension.name for extension in socket.protocol.extensions] == ["permessage-deflate"]
        await socket.send("x" * 5000)
        assert await socket.recv() == "x" * 5000
    async with mounted(echo) as port, connect(f"ws://127.0.0.1:{port}/apps/ws") as socket:
        assert not socket.protocol.extensions
