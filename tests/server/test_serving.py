import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hotshoe.server.listening import listen
from hotshoe.server.service import Serving


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if scope["path"] == "/stuck":
        await asyncio.sleep(60)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served(ping_interval_s: float = 0, asked: asyncio.Event | None = None) -> AsyncIterator[tuple[Serving, int]]:
    """``asked`` is set once the app has got a request."""
    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if asked is not None:
            asked.set()
        await app(scope, receive, send)

    listeners = listen("127.0.0.1", 0)
    serving = Serving(noted, listeners, max_message_bytes=1000, ping_interval_s=ping_interval_s)
    await serving.start()
    try:
        yield serving, listeners.port
    finally:
        await serving.stop(0.1)


async def test_answers_have_a_date_and_name_no_server() -> None:
    async with served() as (_, port), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/")
        assert answer.text == "ok"
        assert "date" in answer.headers
        assert "server" not in answer.headers


async def test_an_answer_under_way_is_finished() -> None:
    asked = asyncio.Event()
    async with served(asked=asked) as (serving, port), httpx.AsyncClient(timeout=60) as client:
        slow = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/slow"))
        await asked.wait()
        await serving.stop(60)
        assert (await slow).text == "ok"
        assert serving.connections == 0


async def test_what_does_not_end_is_ended() -> None:
    asked = asyncio.Event()
    async with served(asked=asked) as (serving, port), httpx.AsyncClient(timeout=60) as client:
        stuck = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/stuck"))
        await asked.wait()
        async with asyncio.timeout(30):
            await serving.stop(0.2)
        with pytest.raises(httpx.RemoteProtocolError):
            await stuck
        assert serving.connections == 0


async def test_idle_connections_do_not_hold_up_the_end() -> None:
    async with served() as (serving, port), httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{port}/")
        _, silent = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        started = asyncio.get_running_loop().time()
        await serving.stop(60)
        assert asyncio.get_running_loop().time() - started < 30
        silent.close()


async def test_websockets_are_told_that_the_server_stops() -> None:
    async with served() as (serving, port), connect(f"ws://127.0.0.1:{port}/") as client:
        stopping = asyncio.create_task(serving.stop(5))
        with suppress(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1012
        await stopping


async def test_messages_have_a_largest_size() -> None:
    async with served() as (_, port), connect(f"ws://127.0.0.1:{port}/") as client:
        await client.send(bytes(1001))
        with suppress(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (1009, "message too big")


async def test_it_listens_no_more_when_it_has_stopped() -> None:
    async with served() as (serving, port):
        await serving.stop(0.1)
        with pytest.raises(OSError, match=r"Connect|refused"):
            await asyncio.open_connection("127.0.0.1", port)
