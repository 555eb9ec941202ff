"""Apps in the middle of a site: who answers what, what a site sees, and how it lives."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bokeh.models.widgets import Div
from flask import Flask, request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.support.asgi_websocket import Peer, pulled, socket_scope, token_of

import hotshoe
from hotshoe.base.errors import AppError, ConfigError, SiteError
from hotshoe.web.mount import Asgi
from hotshoe.web.site.sites import is_asgi

if TYPE_CHECKING:
    from bokeh.document import Document

Wrap = Callable[..., Asgi]


@pytest.fixture
async def wrap() -> AsyncIterator[Wrap]:
    made: list[Asgi] = []

    def build(*args: Any, **more: Any) -> Asgi:
        made.append(hotshoe.wrap(*args, **more))
        return made[-1]

    yield build
    for each in made:
        await each.stop()


def app(doc: Document) -> None:
    doc.add_root(Div(text="hello"))
    doc.title = "An app"


def flask_site() -> Flask:
    site = Flask(__name__, static_folder=None)
    site.add_url_rule("/", view_func=lambda: "home", endpoint="home")
    site.add_url_rule("/static/<path:name>", view_func=lambda name: f"static {name}", endpoint="files")
    site.add_url_rule("/where", endpoint="where",
                      view_func=lambda: f"{request.script_root} {request.path} {request.url}")
    site.add_url_rule("/size", view_func=lambda: str(len(request.get_data())), endpoint="size", methods=["POST"])
    return site


async def ask(site: Any, path: str, method: str = "GET", base_url: str = "http://testserver",
              **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url=base_url) as client:
        return await client.request(method, path, **more)


async def test_the_site_answers_to_the_same_names_as_the_apps(wrap: Wrap) -> None:
    heard: list[str] = []

    async def socket_of_site(socket: WebSocket) -> None:
        heard.append(socket.url.path)
        await socket.close()

    sites = (flask_site(), Starlette(routes=[WebSocketRoute("/socket", socket_of_site)]))
    for site in sites:
        both = wrap(site, {"/app": app}, allowed_hosts=[".own.example"])
        for path in ("/", "/where", "/app", "/static/x.js", "/no"):
            assert (await ask(both, path, base_url="http://evil.example")).status_code == 403, path
        for path in ("/app/ws", "/socket"):
            peer = Peer(both, socket_scope(path, headers={"host": "evil.example"}))
            assert (await peer.hear())["type"] != "websocket.accept"
        assert (await ask(both, "/app", base_url="http://a.own.example:81")).status_code == 200
    assert heard == []


async def test_who_answers_what(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app})
    assert (await ask(both, "/")).text == "home"
    assert (await ask(both, "/static/js/bokeh.min.js")).text == "static js/bokeh.min.js"
    assert (await ask(both, "/static/extensions/nobody/x.js")).text == "static extensions/nobody/x.js"
    assert (await ask(both, "/size", "POST", content=b"x" * 3_000_000)).text == "3000000"
    assert (await ask(both, "/app/more")).status_code == 404
    assert "server" not in (await ask(both, "/app/more")).headers
    page = await ask(both, "/app")
    assert "An app" in page.text
    assert (await ask(both, "/_hotshoe/page.js")).status_code == 200


async def test_pages_ask_for_bokehjs_where_no_site_has_files(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app})
    urls = re.findall(r'"(\w*/?static/[^"?]+)', (await ask(both, "/app")).text)
    assert urls
    assert all(url.startswith("_hotshoe/static/js/") for url in urls)
    for url in urls:
        answer = await ask(both, "/" + url)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/javascript")
    plan = (await ask(both, "/app/autoload.js?bokeh-autoload-element=e&bokeh-app-path=/app")).text
    assert "_hotshoe/static/js/bokeh.min.js" in plan
    assert "/static/js/bokeh.min.js" not in plan.replace("_hotshoe/static", "")


async def test_answers_of_the_site_stay_as_they_are(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app}, frame_ancestors=("self",))
    assert "x-content-type-options" in (await ask(both, "/app")).headers
    assert "content-security-policy" not in (await ask(both, "/")).headers
    assert "x-content-type-options" not in (await ask(both, "/")).headers


async def test_a_prefix_is_in_front_of_the_site_too(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app}, prefix="/p")
    assert (await ask(both, "/p/app")).status_code == 200
    assert (await ask(both, "/p/where")).text == "/p /where http://testserver/p/where"
    assert (await ask(both, "/where")).status_code == 404
    mounted = Starlette(routes=[Mount("/m", app=both)])
    assert (await ask(mounted, "/m/p/where")).text == "/m/p /where http://testserver/m/p/where"
    assert (await ask(mounted, "/m/p/app")).status_code == 200


async def test_the_site_sees_what_a_trusted_proxy_says(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app}, use_xheaders=True)
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.org"}
    assert (await ask(both, "/where", headers=said)).text.endswith("https://example.org/where")


async def test_sockets(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app})
    peer, document = await pulled(both, "/app/ws", token_of(await ask(both, "/app")))
    assert document["title"] == "An app"
    peer.leave()
    await peer.ended()
    stranger = Peer(both, socket_scope("/somewhere"))
    assert (await stranger.hear())["status"] == 404


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(f"{socket.state.name}: {await socket.receive_text()}")
    await socket.close()


def starlette_site(lives: list[str]) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(site: Starlette) -> AsyncIterator[dict[str, str]]:
        lives.append("begins")
        yield {"name": "a site"}
        lives.append("ends")

    async def home(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.name)

    return Starlette(routes=[Route("/", home), WebSocketRoute("/echo", echo)], lifespan=lifespan)


async def test_an_asgi_site_lives_with_the_apps(wrap: Wrap) -> None:
    lives: list[str] = []
    both = wrap(starlette_site(lives), {"/app": app})
    assert lives == []
    await both.start()
    assert lives == ["begins"]
    assert (await ask(both, "/")).text == "a site"
    assert (await ask(both, "/app")).status_code == 200
    peer = Peer(both, socket_scope("/echo"))
    assert (await peer.hear())["type"] == "websocket.accept"
    peer.say(type="websocket.receive", text="hi")
    assert (await peer.hear())["text"] == "a site: hi"
    await peer.ended()
    await both.stop()
    assert lives == ["begins", "ends"]


async def test_an_asgi_site_that_can_not_start(wrap: Wrap) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(site: Starlette) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    loaded: list[str] = []
    both = wrap(Starlette(lifespan=lifespan), {"/app": app})
    with pytest.raises(SiteError, match="no database"):
        await both.start()
    assert loaded == []


async def test_the_lifespan_of_a_framework_around() -> None:
    apps = hotshoe.asgi({"/app": app})
    outer = Starlette(routes=[Mount("/apps", app=apps)], lifespan=apps.lifespan)
    async with outer.router.lifespan_context(outer):
        assert (await ask(outer, "/apps/app")).status_code == 200
    assert (await ask(outer, "/apps/app")).status_code == 503


async def test_the_session_of_a_framework_around_reaches_apps() -> None:
    seen: list[Any] = []

    def curious(doc: Document) -> None:
        assert doc.session_context is not None
        seen.append(doc.session_context.request.session)  # type: ignore[attr-defined]

    async def remember(request: Request) -> PlainTextResponse:
        request.session["name"] = "alice"
        return PlainTextResponse("")

    apps = hotshoe.asgi({"/app": curious})
    site = Starlette(routes=[Route("/remember", remember), Mount("/apps", app=apps)],
                     middleware=[Middleware(SessionMiddleware, secret_key="s")])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url="http://testserver") as client:
        await client.get("/apps/app")
        await client.get("/remember")
        await client.get("/apps/app")
    await apps.stop()
    assert seen == [{}, {"name": "alice"}]
    assert type(seen[1]) is dict


def test_a_site_that_a_setting_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "named_site.py").write_text(
        "def make():\n    def site(environ, start_response):\n"
        "        start_response('200 OK', [])\n        return [b'of a setting']\n    return site\n")
    with hotshoe.Server({"/app": app}, wsgi="named_site:make()", port=0, address="127.0.0.1") as server:
        assert httpx.get(server.url("/")).text == "of a setting"
        assert httpx.get(server.url("/app")).status_code == 200


def test_a_server_with_a_site() -> None:
    with hotshoe.Server(site=flask_site(), port=0, address="127.0.0.1", max_body_size=10) as server:
        assert httpx.get(server.url("/")).text == "home"
        assert httpx.post(server.url("/size"), content=b"x" * 2_000_000, timeout=30).text == "2000000"
        assert server.urls == []


async def test_no_page_of_ours_leads_to_an_index_that_is_none(wrap: Wrap) -> None:
    both = wrap(flask_site(), {"/app": app})
    answer = await ask(both, "/app", method="POST")
    assert answer.status_code == 405
    assert "All apps" not in answer.text


def test_a_foreign_name_opens_no_socket_of_the_site() -> None:
    """A server of this machine only: a browser here can be made to ask it by such a name (DNS rebinding)."""
    asked = ("GET /echo HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

    async def greet(line: WebSocket) -> None:
        await line.accept()
        await line.close()

    site = Starlette(routes=[WebSocketRoute("/echo", greet)])
    with hotshoe.Server({"/app": app}, site=site, port=0, address="127.0.0.1") as server:
        for name, status in (("localhost", b"101"), ("evil.example", b"403")):
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
                line.sendall(asked.format(name).encode())
                assert line.recv(100).split()[1] == status


def test_an_answer_ends_for_who_leaves_with_a_body_that_nobody_reads() -> None:
    """Any page that streams without end could be asked for in this way, until no thread is left."""
    closed = threading.Event()

    def endless(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x"
                time.sleep(0.01)
        finally:
            closed.set()

    with hotshoe.Server(site=endless, port=0, address="127.0.0.1") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 1_200_000)
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            assert not closed.is_set()
        assert closed.wait(30)


@pytest.mark.parametrize("site", [None, 3, "site:app", Flask, object()])
def test_what_is_no_site(site: Any) -> None:
    with pytest.raises(ConfigError, match="can't be"):
        hotshoe.wrap(site, {})


class Middleware3:
    """ASGI, by a function that is none of ``async def``."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return None


class Middleware2:
    def __call__(self, environ: Any, start_response: Any) -> Any:
        return []


@pytest.mark.parametrize(("site", "speaks_asgi"), [
    (Starlette(), True), (Starlette().__call__, True), (Middleware3(), True), (partial(Middleware3(), {}), False),
    (Flask("x"), False), (Flask("x").wsgi_app, False), (Middleware2(), False), (lambda environ, start: [], False),
    (lambda *given: [], False),
])
def test_which_language_a_site_speaks(site: Any, speaks_asgi: bool) -> None:
    assert is_asgi(site) is speaks_asgi


def test_a_factory_without_its_parentheses() -> None:
    with pytest.raises(ConfigError, match=r"named with parentheses: site:make_app\(\)"):
        hotshoe.wrap(flask_site, {})
    with pytest.raises(ConfigError, match="neither the arguments of a WSGI app") as caught:
        hotshoe.wrap(lambda environ: [], {})
    assert "with parentheses" not in str(caught.value)


def test_wrong_settings_and_apps() -> None:
    with pytest.raises(ConfigError, match="prefx"):
        hotshoe.wrap(flask_site(), {}, prefx="p")
    with pytest.raises(ConfigError, match="not MODULE:APP"):
        hotshoe.Settings(wsgi="site.py")
    with pytest.raises(AppError):
        hotshoe.wrap(flask_site(), "no/such/app.py")
