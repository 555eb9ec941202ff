"""The scope of a request that Tornado has read, its user, and the events on their way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from tests.support.tornado_site import mounted
from tornado.web import RequestHandler

from hotshoe.integrations.tornado.bridge import EventQueue


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its scope."""
    body = json.dumps(scope, default=lambda value: value.decode("latin-1")).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def scope_of(port: int, path: str = "/apps/x", **headers: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        scope: dict[str, Any] = (await client.get(path, headers=headers)).json()
        return scope


async def test_a_scope() -> None:
    async with mounted(tell) as port:
        scope = await scope_of(port, "/apps/sl%C3%A4der%2Fx?a=1&b=%20", Two="x")
    assert scope["type"] == "http"
    assert scope["method"] == "GET"
    assert scope["http_version"] == "1.1"
    assert scope["scheme"] == "http"
    assert (scope["path"], scope["root_path"]) == ("/apps/släder/x", "/apps")
    assert scope["raw_path"] == "/apps/sl%C3%A4der%2Fx"
    assert scope["query_string"] == "a=1&b=%20"
    assert ["two", "x"] in scope["headers"]
    assert scope["server"] == ["127.0.0.1", port]
    assert scope["client"][0] == "127.0.0.1"
    assert scope["client"][1] > 0
    assert "user" not in scope


async def test_what_a_proxy_says_counts_where_tornado_believes_it() -> None:
    said = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    async with mounted(tell) as port:
        scope = await scope_of(port, **said)
        assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")
    async with mounted(tell, xheaders=True) as port:
        scope = await scope_of(port, **said)
        assert (scope["client"], scope["scheme"]) == (["192.0.2.7", 0], "https")


async def test_the_user_of_the_sites_handler() -> None:
    class Site(RequestHandler):
        def get_current_user(self) -> str | None:
            return self.get_cookie("who")

    async with mounted(tell, handler=Site) as port:
        assert (await scope_of(port, Cookie="who=Ada"))["user"] == "Ada"
        assert "user" not in await scope_of(port)


async def test_the_user_of_a_function() -> None:
    async def user(handler: RequestHandler) -> dict[str, str] | None:
        name = handler.get_cookie("who")
        return {"name": name} if name else None

    async with mounted(tell, user=user) as port:
        assert (await scope_of(port, Cookie="who=Ada"))["user"] == {"name": "Ada"}
        assert "user" not in await scope_of(port)


async def test_events_come_in_order_and_the_end_stays() -> None:
    inbox = EventQueue()
    await inbox.put({"type": "first"})
    await inbox.put({"type": "second"})
    inbox.end({"type": "end"})
    inbox.end({"type": "another end"})
    assert [(await inbox.get())["type"] for _ in range(4)] == ["first", "second", "end", "end"]


async def test_who_writes_waits_for_room() -> None:
    inbox = EventQueue(1)
    await inbox.put({"type": "first"})
    second = asyncio.create_task(inbox.put({"type": "second"}))
    await asyncio.sleep(0.01)
    assert not second.done()
    assert (await inbox.get())["type"] == "first"
    await second
    assert (await inbox.get())["type"] == "second"


async def test_the_end_lets_the_writer_go() -> None:
    inbox = EventQueue(1)
    await inbox.put({"type": "first"})
    waiting = asyncio.create_task(inbox.put({"type": "never read"}))
    await asyncio.sleep(0)
    inbox.end({"type": "end"})
    await waiting
    await inbox.put({"type": "too late"})
    assert [(await inbox.get())["type"] for _ in range(2)] == ["first", "end"]


async def test_who_reads_waits_for_the_end() -> None:
    inbox = EventQueue()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.end({"type": "end"})
    assert (await reading)["type"] == "end"
