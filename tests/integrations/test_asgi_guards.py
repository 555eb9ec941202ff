"""What guards of ASGI frameworks see of apps: the table in docs/integrations.md, and the ways that it shows."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bokeh.models.widgets import Div
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.websockets import WebSocket
from tests.support.asgi_websocket import Peer, socket_scope, token_of
from tests.support.needs import need_module

import hotshoe

if TYPE_CHECKING:
    from bokeh.document import Document

ANN = {"cookie": "who=ann"}
DOCS = Path(__file__).parents[2] / "docs/integrations.md"


def app(doc: Document) -> None:
    doc.add_root(Div(text="SALARIES"))


def login_required(request: HTTPConnection) -> str:
    if (user := request.cookies.get("who")) is None:
        raise HTTPException(401)
    return user


async def by_http(request: Request, call_next: Any) -> Any:
    return await call_next(request) if "who" in request.cookies else PlainTextResponse("log in", 401)


def fastapi_dependencies() -> tuple[Any, Any]:
    apps = hotshoe.asgi({"/app": app})
    site = FastAPI(dependencies=[Depends(login_required)])
    router = APIRouter(dependencies=[Depends(login_required)])
    router.mount("/apps", apps)
    site.include_router(router)
    site.mount("/apps", apps)
    return apps, site


def fastapi_middleware() -> tuple[Any, Any]:
    apps = hotshoe.asgi({"/app": app})
    site = FastAPI()
    site.middleware("http")(by_http)
    site.mount("/apps", apps)
    return apps, site


def starlette_middleware() -> tuple[Any, Any]:
    apps = hotshoe.asgi({"/app": app})
    return apps, Starlette(routes=[Mount("/apps", apps)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=by_http)])


class Everything:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or "who" in HTTPConnection(scope).cookies:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse("log in", 401)(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).send_denial_response(PlainTextResponse("log in", 401))


def asgi_middleware() -> tuple[Any, Any]:
    apps = hotshoe.asgi({"/app": app})
    site = FastAPI()
    site.add_middleware(Everything)
    site.mount("/apps", apps)
    return apps, site


def quart_hooks() -> tuple[Any, Any]:
    need_module("quart")
    from quart import Quart, abort, request

    site = Quart(__name__)

    @site.before_request
    @site.before_websocket
    async def guard() -> None:
        if "who" not in request.cookies:
            abort(401)

    apps = hotshoe.wrap(site, {"/apps/app": app})
    return apps, apps


def wrapped() -> tuple[Any, Any]:
    site = FastAPI()
    site.middleware("http")(by_http)
    apps = hotshoe.wrap(site, {"/apps/app": app})
    return apps, apps


def guard() -> tuple[Any, Any]:
    apps = hotshoe.asgi({"/app": app}, guard=login_required)
    site = FastAPI()
    site.mount("/apps", apps)
    return apps, site


def guard_around() -> tuple[Any, Any]:
    apps = hotshoe.wrap(FastAPI(), {"/apps/app": app}, guard=login_required)
    return apps, apps


class Cookies(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> Any:
        if name := conn.cookies.get("who"):
            return AuthCredentials(), SimpleUser(name)
        return None


def user_in_scope() -> tuple[Any, Any]:
    apps = hotshoe.asgi({"/app": app}, authorize=lambda user, url: True)
    return apps, Starlette(routes=[Mount("/apps", apps)], middleware=[Middleware(AuthenticationMiddleware,
                                                                                 backend=Cookies())])


TABLE: dict[Callable[[], tuple[Any, Any]], tuple[int, int]] = {
    fastapi_dependencies: (200, 101),
    fastapi_middleware: (401, 101),
    starlette_middleware: (401, 101),
    asgi_middleware: (401, 401),
    quart_hooks: (200, 101),
    wrapped: (200, 101),
    guard: (401, 401),
    guard_around: (401, 401),
    user_in_scope: (401, 401),
}
"""For each guard what a stranger gets: the status of the page, and of the websocket with another's token."""


async def status_of_socket(site: Any, path: str, token: str, headers: dict[str, str]) -> int:
    peer = Peer(site, socket_scope(path, protocols=["bokeh", token], headers=headers))
    event = await peer.hear()
    peer.leave()
    await peer.ended()
    return 101 if event["type"] == "websocket.accept" else int(event["status"])


@pytest.mark.parametrize("make", list(TABLE), ids=lambda make: make.__name__)
async def test_the_table_of_the_docs(make: Callable[[], tuple[Any, Any]]) -> None:
    apps, site = make()
    async with apps.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(site),
                                                  base_url="http://testserver") as client:
        page = (await client.get("/apps/app")).status_code
        token = token_of(await client.get("/apps/app", headers=ANN))
        assert (page, await status_of_socket(site, "/apps/app/ws", token, {})) == TABLE[make]
        assert await status_of_socket(site, "/apps/app/ws", token, ANN) == 101


def snippets() -> list[str]:
    """The Python of the section that tells how to guard apps."""
    section = DOCS.read_text(encoding="utf-8").partition("### How do I guard the apps?")[2].partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("snippet", snippets(), ids=["guard", "user"])
async def test_what_the_docs_show(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_module("itsdangerous")
    (tmp_path / "app.py").write_text("from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
                                     "curdoc().add_root(Div(text='SALARIES'))\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    names: dict[str, Any] = {"__name__": "site"}
    exec(snippet, names)
    site = names["site"]

    async def log_in(request: Request) -> PlainTextResponse:
        request.session["user"] = "ann"
        return PlainTextResponse("welcome")

    site.router.add_route("/login", log_in)
    async with names["apps"].lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(site),
                                                           base_url="http://testserver") as client:
        assert (await client.get("/apps/app")).status_code == 401
        await client.get("/login")
        token = token_of(await client.get("/apps/app"))
        cookie = {"cookie": f"session={client.cookies['session']}"}
        assert await status_of_socket(site, "/apps/app/ws", token, {}) == 401
        assert await status_of_socket(site, "/apps/app/ws", token, cookie) == 101
        if "/numbers" in snippet:
            assert (await client.get("/numbers")).json() == {"numbers of": "ann"}
            client.cookies.clear()
            assert (await client.get("/numbers")).status_code == 401
