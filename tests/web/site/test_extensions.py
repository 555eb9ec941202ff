"""No server starts beside a site's extension that it does not ask: however the site is hidden, whoever comes first."""

from __future__ import annotations

import gc
import logging
import warnings
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from a2wsgi import WSGIMiddleware
from bokeh.models.widgets import Div
from fastapi import FastAPI
from flask import Flask, abort, request
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.support.asgi_websocket import Peer, pulled, socket_scope, token_of
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import hotshoe
from hotshoe.base.errors import AppError, ConfigError
from hotshoe.integrations.flask import Hotshoe
from hotshoe.web.site.extensions import find

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it is deprecated, and still what FastAPI's users have
    from starlette.middleware.wsgi import WSGIMiddleware as OldWSGIMiddleware

if TYPE_CHECKING:
    from bokeh.document import Document


@pytest.fixture(autouse=True)
def _forget_sites() -> Any:
    yield
    kept.clear()
    gc.collect()


def app(doc: Document) -> None:
    doc.add_root(Div(text="secret"))


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    def guarded() -> Any:
        return view() if request.cookies.get("who") == "ann" else abort(401)

    guarded.__name__ = view.__name__
    return guarded


def site_with_extension() -> tuple[Flask, Hotshoe]:
    site = Flask("a_site", static_folder=None)
    return site, Hotshoe(site, decorators=[login_required])


class Slotted:
    __slots__ = ("app",)

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


class ByHost:
    def __init__(self, app: Any) -> None:
        self.apps = {"": app}

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.apps[""](environ, start_response)


def mounted(site: Any, middleware: Any = WSGIMiddleware) -> FastAPI:
    around = FastAPI()
    around.mount("/", middleware(site))
    return around


class Listed:
    def __init__(self, app: Any) -> None:
        self.apps = [app]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.apps[0](environ, start_response)


kept: dict[str, Any] = {}


def around_global(site: Any) -> Any:
    kept["site"] = site
    return lambda environ, start_response: kept["site"](environ, start_response)


def around_weak(site: Any) -> Any:
    found = weakref.ref(site)

    def middleware(environ: Any, start_response: Any) -> Any:
        return found()(environ, start_response)  # type: ignore[misc]

    return middleware


def around_default(site: Any) -> Any:
    def middleware(environ: Any, start_response: Any, apps: Any = (site,)) -> Any:
        return apps[0](environ, start_response)

    return middleware


def around_partial(site: Any) -> Any:
    return partial(lambda apps, environ, start_response: apps[0](environ, start_response), [site])


def around_context(site: Any) -> Any:
    variable: ContextVar[Any] = ContextVar("site", default=site)
    return lambda environ, start_response: variable.get()(environ, start_response)


def made_when_asked(site: Any) -> Any:
    return lambda environ, start_response: (lambda: [site])()[0](environ, start_response)


HIDING: dict[str, Callable[[Any], Any]] = {
    "slots": Slotted,
    "dict": ByHost,
    "list": Listed,
    "global": around_global,
    "weak": around_weak,
    "default": around_default,
    "partial": around_partial,
    "context": around_context,
    "nested": lambda site: ProxyFix(Slotted(ProxyFix(site))),
    "mounted": mounted,
    "mounted, old": lambda site: mounted(site, OldWSGIMiddleware),
    "starlette": lambda site: Starlette(routes=[Mount("/", app=cast("Any", WSGIMiddleware(site)))]),
}


@pytest.fixture(params=list(HIDING))
def hide(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return HIDING[request.param]


async def status(both: Any, **cookies: str) -> int:
    transport = httpx.ASGITransport(both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver",
                                                  cookies=cookies) as client:
        return (await client.get("/secret")).status_code


def test_a_hidden_extension_ends_the_start(hide: Callable[[Any], Any]) -> None:
    site, _bokeh = site_with_extension()
    hidden = hide(site)
    for start in (lambda: hotshoe.wrap(hidden, {"/secret": app}),
                  lambda: hotshoe.Server({"/secret": app}, site=hidden, port=0)):
        with pytest.raises(ConfigError, match=r"Flask app a_site.*guard=bokeh") as told:
            start()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", [lambda site, bokeh: bokeh, lambda site, bokeh: site,
                                  lambda site, bokeh: site.extensions["hotshoe"]])
async def test_named_it_is_asked(hide: Callable[[Any], Any], name: Callable[[Any, Any], Any]) -> None:
    site, bokeh = site_with_extension()
    both = hotshoe.wrap(hide(site), {"/secret": app}, guard=name(site, bokeh))
    assert await status(both) == 401
    assert await status(both, who="ann") == 200


async def test_named_as_none_it_is_not_asked() -> None:
    site, _bokeh = site_with_extension()
    assert await status(hotshoe.wrap(Slotted(site), {"/secret": app}, guard=None)) == 200


async def test_what_can_be_seen_is_asked_as_ever() -> None:
    site, _bokeh = site_with_extension()
    assert await status(hotshoe.wrap(site, {"/secret": app})) == 401


def test_what_is_no_extension() -> None:
    site, bokeh = site_with_extension()
    with pytest.raises(ConfigError, match="guard= can't be 'bokeh'"):
        hotshoe.wrap(site, guard="bokeh")
    for start in (lambda: hotshoe.asgi({"/secret": app}, guard=bokeh),
                  lambda: hotshoe.Server({"/secret": app}, guard=bokeh)):
        with pytest.raises(ConfigError, match="there is no site to ask"):
            start()


async def test_apps_without_their_site() -> None:
    site, _bokeh = site_with_extension()
    apps = hotshoe.asgi({"/secret": app})
    with pytest.raises(ConfigError, match="a_site"):
        await status(apps)
    with pytest.raises(ConfigError, match="a_site"):  # where nobody sends a lifespan, too
        await httpx.AsyncClient(transport=httpx.ASGITransport(apps)).get("http://testserver/secret")
    with pytest.raises(ConfigError, match="a_site"), hotshoe.Server({"/secret": app}, port=0):
        pass
    assert await status(hotshoe.asgi({"/secret": app}, guard=None)) == 200
    assert site is not None


async def test_each_of_several_sites_has_a_server() -> None:
    first, _ = site_with_extension()
    second, _ = site_with_extension()
    one = hotshoe.wrap(first, {"/secret": app})
    with pytest.raises(ConfigError, match="a_site"):
        await status(one)
    other = hotshoe.wrap(second, {"/secret": app})
    assert [await status(one), await status(other)] == [401, 401]


async def test_that_another_server_asks_it_opens_nothing(hide: Callable[[Any], Any]) -> None:
    site, _bokeh = site_with_extension()
    unused = hotshoe.wrap(site)  # as a module does for an ASGI server, of which the other only takes the site
    hidden = hide(site)
    for start in (lambda: hotshoe.wrap(hidden, {"/secret": app}),
                  lambda: hotshoe.Server({"/secret": app}, site=hidden, port=0)):
        with pytest.raises(ConfigError, match=r"Flask app a_site.*guard=bokeh"):
            start()
    assert await status(unused) == 404


@pytest.mark.parametrize("more", [{"/secret": "no such file"}, {}])
async def test_a_server_that_was_never_used_asks_nothing(more: Any) -> None:
    site, bokeh = site_with_extension()
    gc.disable()
    try:
        with suppress(AppError):
            hotshoe.wrap(site, more)
        with pytest.raises(ConfigError, match="a_site"):
            await status(hotshoe.asgi({"/secret": app}))
    finally:
        gc.enable()
    assert bokeh is not None


async def test_two_servers_may_ask_one_site() -> None:
    site, _bokeh = site_with_extension()
    both = [hotshoe.wrap(site, {"/secret": app}), hotshoe.wrap(site, {"/secret": app, "/more": app})]
    assert [await status(each) for each in both] == [401, 401]


async def test_one_that_nobody_has_any_more_does_not_count() -> None:
    gc.disable()
    try:
        site, bokeh = site_with_extension()
        del site, bokeh
        assert await status(hotshoe.asgi({"/secret": app})) == 200
    finally:
        gc.enable()


async def test_one_that_is_made_after_wrap_ends_the_start() -> None:
    site = Flask("a_site", static_folder=None)
    both = hotshoe.wrap(Slotted(site), {"/secret": app})
    bokeh = Hotshoe(site, decorators=[login_required])
    with pytest.raises(ConfigError, match="a_site"):
        await status(both)
    assert bokeh is not None


@pytest.fixture
async def running() -> AsyncIterator[Any]:
    apps = hotshoe.asgi({"/secret": app})
    async with apps.lifespan():
        yield apps


async def test_one_that_is_made_after_the_start_is_not_made(running: Any) -> None:
    with pytest.raises(ConfigError, match=r"a_site.*is made too late"):
        site_with_extension()


PLAIN = Flask("without", static_folder=None)
SERVERS: dict[str, Callable[[], Any]] = {
    "no site": lambda: hotshoe.asgi({"/secret": app, "/more": app}),
    "site": lambda: hotshoe.wrap(Slotted(PLAIN), {"/secret": app, "/more": app}),
}


@pytest.mark.parametrize("kind", list(SERVERS))
async def test_one_that_is_made_after_the_start_closes_the_apps(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    both = SERVERS[kind]()
    transport = httpx.ASGITransport(both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        peer, _ = await pulled(both, "/secret/ws", token_of(await client.get("/secret")))
        for _ in range(2):
            with pytest.raises(ConfigError, match=r"a_site.*is made too late"):  # and the site's code may go on
                site_with_extension()
        (told,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
        assert told.startswith("All apps are closed (status 503): hotshoe's extension of the Flask app a_site")
        assert (await peer.ended())[-1]["code"] == 1008
        paths = ["/secret", "/more", "/secret/metadata", "/secret/autoload.js?bokeh-autoload-element=e", "/secret/ws"]
        paths += [] if kind == "site" else ["/"]
        assert [(await client.get(path)).status_code for path in paths] == [503] * len(paths)
        late = Peer(both, socket_scope("/secret/ws", protocols=["bokeh", "x"]))
        assert (await late.hear())["status"] == 503
        assert "closed" in (await client.get("/secret/_hotshoe/refusal?origin=http://testserver")).json()["refusal"]
    assert await status(both) == 200, "after another start, without the extension"


def test_one_in_a_thread_closes_the_apps_of_a_server() -> None:
    with hotshoe.Server({"/secret": app}, port=0, address="127.0.0.1") as server, \
            httpx.Client(timeout=60) as client:
        assert client.get(server.url("/secret")).status_code == 200
        with pytest.raises(ConfigError, match="is made too late"):
            site_with_extension()
        assert client.get(server.url("/secret")).status_code == 503


async def test_a_site_that_is_made_at_its_first_request_opens_nothing() -> None:
    def lazy(environ: Any, start_response: Any) -> Any:
        if "site" not in kept:
            kept["site"], _ = site_with_extension()
        return kept["site"](environ, start_response)

    both = hotshoe.wrap(lazy, {"/secret": app})
    transport = httpx.ASGITransport(both, raise_app_exceptions=False)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        assert (await client.get("/")).status_code == 500
        assert (await client.get("/secret")).status_code == 503


async def test_the_site_of_a_dispatcher_is_asked_about_its_own_urls_only() -> None:
    site, bokeh = site_with_extension()
    public = Hotshoe(other := Flask("other", static_folder=None))
    public.app("/")(app)
    around = DispatcherMiddleware(Slotted(site), {"/secret": other})
    with pytest.raises(ConfigError, match="guard=bokeh"):
        hotshoe.wrap(around, {"/secret": app})
    servers = [hotshoe.wrap(around, {"/secret": app}, guard=guard) for guard in (bokeh, public)]
    # The other site's view answers at /secret, for its own app at /.
    assert [await status(each) for each in servers] == [404, 404]


async def test_two_sites_of_which_one_is_wrapped() -> None:
    first, _ = site_with_extension()
    second, _ = site_with_extension()
    with pytest.raises(ConfigError, match="a_site"):
        await status(hotshoe.wrap(first, {"/secret": app}))
    with pytest.raises(ConfigError, match="a_site"):
        await status(hotshoe.wrap(DispatcherMiddleware(first, {"/second": second}), {"/second/secret": app}))


async def test_after_the_end_it_is(running: Any) -> None:
    await running.stop()
    site, _bokeh = site_with_extension()
    assert find(site) is not None


async def test_one_that_was_given_to_no_app() -> None:
    site = Flask("a_site", static_folder=None)
    bokeh = Hotshoe(decorators=[login_required])
    with pytest.raises(ConfigError, match="init_app"):
        hotshoe.wrap(site, {"/secret": app})
    assert await status(hotshoe.asgi({"/secret": app})) == 200  # there is no site that it could have been given to
    bokeh.init_app(site)
    assert await status(hotshoe.wrap(site, {"/secret": app})) == 401


async def test_no_header_of_a_visitor_admits() -> None:
    site, bokeh = site_with_extension()
    both = hotshoe.wrap(mounted(site, OldWSGIMiddleware), {"/secret": app}, guard=bokeh)
    transport = httpx.ASGITransport(both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        page = await client.get("/secret", headers={"X-Hotshoe-Admission": "0" * 32})
    assert page.status_code == 401
