"""``guard=`` as a function: asked for everything of an app, websockets included, and fails closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bokeh.models.widgets import Div
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPBasic
from flask import Flask
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from tests.support.asgi_websocket import Peer, pulled, socket_scope, token_of

import hotshoe
from hotshoe.auth import User
from hotshoe.base.errors import ConfigError
from hotshoe.integrations.flask import Hotshoe

if TYPE_CHECKING:
    from bokeh.document import Document

seen: list[Any] = []
asked: list[str] = []


def app(doc: Document) -> None:
    seen.append(doc.session_context and doc.session_context.user)  # type: ignore[attr-defined]
    doc.add_root(Div(text="SALARIES"))


def login_required(request: Request) -> str:
    asked.append(str(request.url))
    if (user := request.cookies.get("who")) is None:
        raise HTTPException(401, "log in")
    return user


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()
    asked.clear()


@asynccontextmanager
async def visiting(apps: Any, around: Any = None, **cookies: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(around or apps, raise_app_exceptions=False)
    async with apps.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver",
                                                  cookies=cookies) as client:
        yield client


def behind_http_middleware(apps: Any) -> FastAPI:
    """FastAPI's documented way of a login, which sees no websockets."""
    site = FastAPI()

    @site.middleware("http")
    async def guard(request: Request, call_next: Any) -> Any:
        return await call_next(request) if "who" in request.cookies else PlainTextResponse("log in", 401)

    site.mount("/apps", apps)
    return site


async def test_a_websocket_is_guarded_too() -> None:
    apps = hotshoe.asgi({"/secret": app}, guard=login_required)
    site = behind_http_middleware(apps)
    async with visiting(apps, site) as client:
        token = token_of(await client.get("/apps/secret?key=k", headers={"Cookie": "who=ann"}))
        stranger = Peer(site, socket_scope("/apps/secret/ws", protocols=["bokeh", token]))
        assert (await stranger.hear())["status"] == 401
        await stranger.ended()
        peer = Peer(site, socket_scope("/apps/secret/ws", protocols=["bokeh", token], headers={"Cookie": "who=ann"}))
        assert (await peer.hear())["type"] == "websocket.accept"
        peer.leave()
        await peer.ended()
    assert asked == ["http://testserver/apps/secret?key=k"] * 3
    assert seen == [User("ann")]


async def test_everything_of_an_app_is_guarded() -> None:
    async with visiting(hotshoe.asgi({"/secret": app, "/other": app}, guard=login_required)) as client:
        paths = ["/", "/secret", "/secret/", "/secret/metadata", "/secret/ws", "/_hotshoe/thumbnails/secret",
                 "/_hotshoe/source/secret", "/secret/autoload.js?bokeh-autoload-element=e"]
        answers = {path: (await client.get(path)).status_code for path in paths}
        assert answers.pop("/_hotshoe/thumbnails/secret") in (401, 404)
        assert set(answers.values()) == {401}
        page = await client.get("/secret")
        assert page.text == "log in"
        index = await client.get("/", headers={"Cookie": "who=ann"})
        assert "other" in index.text
    assert seen == []


async def test_the_index_lists_what_the_guard_admits() -> None:
    def guard(request: Request) -> bool:
        return request.url.path == "/one"

    async with visiting(hotshoe.asgi({"/one": app, "/two": app, "/three": app}, guard=guard)) as client:
        index = await client.get("/")
    assert ("one" in index.text, "two" in index.text, "three" in index.text) == (True, False, False)


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


class Someone:
    username = "ann"
    is_authenticated = False


def refuse_with_data() -> None:
    """As FastAPI allows."""
    raise HTTPException(401, {"error": ["log in"]})


RESULTS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "true": (lambda request: True, 200),
    "name": (lambda request: "ann", 200),
    "mapping": (lambda request: {"name": "ann"}, 200),
    "async": (lambda request: later("ann"), 200),
    "none": (lambda request: None, 403),
    "false": (lambda request: False, 403),
    "zero": (lambda request: 0, 403),
    "empty": (lambda request: "", 403),
    "nobody": (lambda request: Someone(), 403),
    "async none": (lambda request: later(None), 403),
    "response": (lambda request: PlainTextResponse("no", 403), 403),
    "empty response": (lambda request: Response(status_code=204), 204),
    "teapot": (partial(login_required), 401),
    "data": (lambda request: refuse_with_data(), 401),
}


@pytest.mark.parametrize("result", list(RESULTS))
async def test_only_true_and_users_are_let_in(result: str) -> None:
    guard, status = RESULTS[result]
    async with visiting(hotshoe.asgi({"/secret": app}, guard=guard)) as client:
        page = await client.get("/secret")
        assert (page.status_code, "token" in page.text) == (status, status == 200)
        assert (await client.get("/secret/metadata")).status_code == (403 if status == 204 else status)
    assert len(seen) == (status == 200)


async def test_a_coroutine_of_a_coroutine_is_no_user() -> None:
    inner: list[Any] = []

    async def guard(request: Request) -> Any:
        inner.append(later("ann"))
        return inner[-1]

    async with visiting(hotshoe.asgi({"/secret": app}, guard=guard)) as client:
        assert (await client.get("/secret")).status_code == 403
    for each in inner:
        each.close()


async def test_a_guard_that_fails_lets_nobody_in() -> None:
    def guard(request: Request) -> Any:
        raise LookupError("no database")

    async with visiting(apps := hotshoe.asgi({"/secret": app}, guard=guard)) as client:
        page = await client.get("/secret")
        assert (page.status_code, "database" in page.text) == (500, False)
        peer = Peer(apps, socket_scope("/secret/ws", protocols=["bokeh", "x"]))
        assert (await peer.hear())["status"] == 500
    assert seen == []


async def test_a_redirect_to_a_login() -> None:
    async def guard(request: Request) -> Any:
        raise HTTPException(303, headers={"Location": "/login"})

    async with visiting(hotshoe.asgi({"/secret": app}, guard=guard)) as client:
        page = await client.get("/secret")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        script = await client.get("/secret/autoload.js?bokeh-autoload-element=e")
        assert (script.status_code, '"login":"/login"' in script.text) == (401, True)


class Backend(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        name = conn.cookies.get("who")
        return None if name is None else (AuthCredentials(), SimpleUser(name))


async def test_the_user_of_the_framework_and_the_rules() -> None:
    def guard(request: Request) -> bool:
        return bool(request.user.is_authenticated)

    apps = hotshoe.asgi({"/secret": app}, guard=guard, authorize=lambda user, url: user.name == "ann")
    around = AuthenticationMiddleware(apps, Backend())
    statuses = []
    for cookies in ({}, {"who": "bob"}, {"who": "ann"}):
        async with visiting(apps, around, **cookies) as client:
            page = await client.get("/secret")
            statuses.append(page.status_code)
    assert statuses == [403, 403, 200]
    assert seen == [User("ann")]


def with_dependency(request: Request, user: Any = Depends(login_required)) -> Any:  # noqa: B008 - as FastAPI has it
    return user


def generator(request: Request) -> Iterator[str]:
    yield "ann"


async def async_generator(request: Request) -> AsyncIterator[str]:
    yield "ann"


@pytest.mark.parametrize("guard", [with_dependency, generator, async_generator, lambda: True, HTTPBasic(), FastAPI(),
                                   Flask("without"), User, "login_required", 3, True])
def test_what_is_no_guard(guard: Any) -> None:
    for start in (lambda: hotshoe.asgi({"/secret": app}, guard=guard),
                  lambda: hotshoe.wrap(FastAPI(), {"/secret": app}, guard=guard),
                  lambda: hotshoe.Server({"/secret": app}, guard=guard)):
        with pytest.raises(ConfigError, match="guard=") as told:
            start()
        assert "\n" not in str(told.value)


async def test_a_site_around_the_apps() -> None:
    site = FastAPI()
    site.get("/page", response_class=PlainTextResponse)(lambda: "of the site")
    apps = hotshoe.wrap(site, {"/secret": app}, guard=login_required)
    async with visiting(apps) as client:
        assert (await client.get("/page")).text == "of the site"
        assert (await client.get("/secret")).status_code == 401
        token = token_of(await client.get("/secret", headers={"Cookie": "who=ann"}))
        stranger = Peer(apps, socket_scope("/secret/ws", protocols=["bokeh", token]))
        assert (await stranger.hear())["status"] == 401
        await stranger.ended()


async def test_a_function_takes_the_place_of_no_extension() -> None:
    site = Flask("a_site", static_folder=None)
    bokeh = Hotshoe(site)
    with pytest.raises(ConfigError, match="leave out the function guard="):
        hotshoe.wrap(site, {"/secret": app}, guard=login_required)
    apps = hotshoe.asgi({"/secret": app}, guard=login_required)
    with pytest.raises(ConfigError, match="a_site"):
        await apps.start()
    assert bokeh is not None


def test_a_server_asks_it() -> None:
    with hotshoe.Server({"/secret": app}, guard=login_required, port=0, address="127.0.0.1") as server:
        assert httpx.get(server.url("/secret"), timeout=60).status_code == 401
        assert httpx.get(server.url("/secret"), headers={"Cookie": "who=ann"}, timeout=60).status_code == 200


async def test_a_reload_shows_the_document() -> None:
    apps = hotshoe.asgi({"/secret": app}, guard=lambda request: True)
    async with visiting(apps) as client:
        peer, doc = await pulled(apps, "/secret/ws", token_of(await client.get("/secret")))
        assert "SALARIES" in str(doc)
        peer.leave()
        await peer.ended()
