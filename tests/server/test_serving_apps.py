"""Apps that are served and withdrawn while the server runs: real requests and real websockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from flask import Flask, Response, request
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response as StarletteResponse
from tests.support.raw_websocket import ClosedError, WebSocket

import hotshoe
from hotshoe.auth import User
from hotshoe.auth.provider import Endpoint
from hotshoe.base.errors import AppError, ConfigError, RequestError
from hotshoe.integrations.flask import Hotshoe
from hotshoe.server.server import Server


def app(doc: Document) -> None:
    doc.title = "An app"


def other(doc: Document) -> None:
    doc.title = "Another app"


def get(server: Server, path: str, who: str = "") -> httpx.Response:
    return httpx.get(server.url(path), headers={"Cookie": f"who={who}"} if who else {}, timeout=20)


def socket_of(server: Server, path: str) -> WebSocket:
    token = re.search(r'"token":\s*"([^"]+)"', get(server, path).text)
    assert token is not None
    return WebSocket(server.port, f"{path}/ws", protocols=("bokeh", token[1]))


def serving(apps: Any, **settings: Any) -> Server:
    return Server(apps, port=0, address="127.0.0.1", **settings)


def test_a_new_url_answers_and_a_withdrawn_one_does_not() -> None:
    with serving({"/first": app}) as server:
        assert get(server, "/new").status_code == 404
        assert get(server, "/").status_code == 302, "to the only app"
        server.serve_app("/new", other).result(20)
        assert "Another app" in get(server, "/new").text
        assert "/new" in get(server, "/").text
        assert [*server.apps] == ["/first", "/new"]
        assert server.urls == [server.url("/first"), server.url("/new")]
        with socket_of(server, "/new") as socket:
            assert socket.pull()["title"] == "Another app"
            server.withdraw_app("/new").result(20)
            with pytest.raises(ClosedError) as closed:
                socket.receive()
            assert closed.value.closed.code == 1001
        for path in ("/new", "/new/", "/new/metadata", "/new/static/x.css", "/new/ws"):
            assert get(server, path).status_code == 404, path
        assert get(server, "/new/autoload.js?bokeh-autoload-element=a").status_code == 404
        with WebSocket(server.port, "/new/ws", protocols=("bokeh", "token")) as socket:
            assert socket.status == 404
        assert get(server, "/first").status_code == 200
        assert get(server, "/").status_code == 302
        server.serve_app("new", app).result(20)
        assert "An app" in get(server, "/new").text
        server.withdraw_app("new/").result(20)
        assert get(server, "/new").status_code == 404


def test_an_app_takes_the_place_of_another() -> None:
    with serving({"/a": app}) as server, socket_of(server, "/a") as socket:
        server.serve_app("/a", other).result(20)
        assert "Another app" in get(server, "/a").text
        assert socket.pull()["title"] == "An app", "whoever sees the old one goes on"


def test_its_files_are_served(tmp_path: Path) -> None:
    (tmp_path / "new" / "static").mkdir(parents=True)
    (tmp_path / "new" / "main.py").write_text("")
    (tmp_path / "new" / "static" / "own.css").write_text("p {}")
    with serving({"/first": app}) as server:
        assert get(server, "/new/static/own.css").status_code == 404
        server.serve_app("/new", tmp_path / "new").result(20)
        assert get(server, "/new/static/own.css").text == "p {}"


def test_what_is_wrong_is_raised_where_it_was_asked_for() -> None:
    with serving({"/first": app}) as server:
        with pytest.raises(AppError, match="no such file"):
            server.serve_app("/new", "no_such.py").result(20)
        with pytest.raises(RequestError, match="no app at /new"):
            server.withdraw_app("/new").result(20)
        for call in (server.serve_app, server.withdraw_app):
            with pytest.raises(AppError, match="an app's URL must be a string"):
                call(None, *[app] * (call == server.serve_app)).result(20)  # type: ignore[arg-type]

        async def ask() -> None:
            await server.serve_app("/new", other)

        asyncio.run(ask())
        assert get(server, "/new").status_code == 200
    with pytest.raises(RuntimeError, match="not running"):
        server.serve_app("/other", other)


async def test_as_an_asgi_app() -> None:
    apps = hotshoe.asgi({"/first": app})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(apps), base_url="http://testserver") as client:
        await apps.serve_app("/new", other)
        assert "Another app" in (await client.get("/new")).text
        await apps.withdraw_app("new")
        assert (await client.get("/new")).status_code == 404
        await apps.stop()
        with pytest.raises(RequestError, match="stopping"):
            await apps.serve_app("/new", other)


class Cookies:
    """A provider that believes a cookie."""

    logout_path = None

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/in": self._login}

    async def user_of(self, connection: HTTPConnection) -> User | None:
        name = connection.cookies.get("who")
        return None if name is None else User(name, groups=frozenset({"staff"} if name == "alice" else ()))

    async def login_path(self, connection: HTTPConnection) -> str | None:
        return "/in"

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def _login(self, request: Request) -> StarletteResponse:
        return StarletteResponse("log in")


def test_logins_and_rules_count_for_it() -> None:
    with serving({"/first": app}, auth=Cookies(), allow=["*=staff"]) as server:
        server.serve_app("/new", other).result(20)
        assert get(server, "/new").status_code == 302
        assert get(server, "/new", "bob").status_code == 403
        assert get(server, "/new", "alice").status_code == 200
        with pytest.raises(ConfigError, match="The app at /in has the same URL as the login or logout page"):
            server.serve_app("/in/", other).result(20)
        assert get(server, "/in").text == "log in"
        assert "/in" not in server.apps


def test_an_app_that_nobody_may_be_let_into_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    """A host may bring apps by itself."""
    with serving({"/first": app}, auth=Cookies()) as server:
        loop = server._loop
        assert loop is not None
        for url in ("/in", "/new"):
            asyncio.run_coroutine_threadsafe(server._host.serve_app(url, other), loop).result(20)
        assert get(server, "/in").text == "log in"
        assert get(server, "/new", "alice").status_code == 200
        assert get(server, "/in/metadata", "alice").status_code == 404
        assert "/in" not in get(server, "/", "alice").text
    assert caplog.text.count("The app at /in is not served: The app at /in has the same URL") == 1


def flask_site() -> Flask:
    site = Flask("a_site")
    site.add_url_rule("/", view_func=lambda: "home", endpoint="home")

    @site.before_request
    def guard() -> Response | None:
        return None if request.cookies.get("who") == "alice" else Response("the site says no", 403)

    return site


def test_the_extension_of_a_site_is_asked_who_may_see_it() -> None:
    site = flask_site()
    Hotshoe(site).add("/first", app)
    with serving(None, site=site) as server:
        assert get(server, "/", "alice").text == "home"
        assert get(server, "/new", "alice").status_code == 404
        server.serve_app("/new", other).result(20)
        assert (get(server, "/new").status_code, get(server, "/new").text) == (403, "the site says no")
        assert "Another app" in get(server, "/new", "alice").text
        server.withdraw_app("/new").result(20)
        assert get(server, "/new", "alice").status_code == 404
        assert "the site says no" not in get(server, "/new").text
        server.serve_app("/new", app).result(20)
        assert get(server, "/new").status_code == 403
        assert "An app" in get(server, "/new", "alice").text


def test_no_app_takes_the_place_of_a_view() -> None:
    site = flask_site()
    Hotshoe(site).add("/first", app)
    with serving(None, site=site) as server:
        with pytest.raises(AppError, match=r"the site already has a view at / \(home\)"):
            server.serve_app("/", other).result(20)
        assert get(server, "/", "alice").text == "home"


def test_a_site_without_extension_gets_its_url_back() -> None:
    site = Flask("a_site")
    site.add_url_rule("/<name>", view_func=lambda name: f"a page called {name}", endpoint="page")
    with serving({"/first": app}, site=site, guard=None) as server:
        server.serve_app("/new", other).result(20)
        assert "Another app" in get(server, "/new").text
        server.withdraw_app("/new").result(20)
        assert get(server, "/new").text == "a page called new"


def test_pages_that_wait_for_a_change_are_told_that_their_app_is_gone() -> None:
    with serving({"/first": app}, dev=True, reloads=False) as server:
        server.serve_app("/new", other).result(20)
        version = server.apps["/new"].version
        with WebSocket(server.port, f"/new/_hotshoe/dev?app=/new&version={version}") as socket:
            assert socket.status == 101
            server.withdraw_app("/new").result(20)
            assert socket.receive() == "changed"
            with pytest.raises(ClosedError):
                socket.receive()


def test_statistics_are_there_on_any_thread_and_on_the_loop() -> None:
    with serving({"/first": app}) as server:
        get(server, "/first")
        assert server.statistics().sessions == {"/first": 1}

    async def on_the_loop() -> None:
        async with serving({"/first": app}) as server:
            assert server.statistics().sessions == {"/first": 0}
            assert (await asyncio.to_thread(server.statistics)).sessions == {"/first": 0}

    asyncio.run(on_the_loop())
