"""The scope of a request that Tornado has read, and its user."""

from __future__ import annotations

import json
from typing import Any

import httpx
from tests.integrations.tornado_site import mounted
from tornado.web import RequestHandler


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
