"""A kernel's server as its neighbours on the same machine meet it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from tests.support.ports import free_port
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from hotshoe.base.errors import BindError, ConfigError
from hotshoe.hosts import InlineHost
from hotshoe.notebook.kernel import KernelPlace, KernelServer, start_server
from hotshoe.tokens import mint, new_session_id


def app(document: Document) -> None:
    document.add_root(Div(text="only for the owner"))


@pytest.fixture
def server() -> Iterator[KernelServer]:
    running = start_server(app, KernelPlace.new())
    yield running
    running.stop()


def status(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=20) as answer:
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        return error.code


def page(server: KernelServer, session: str) -> str:
    return f"{server.url('/app')}?bokeh-session-id={session}"


def test_the_notebook_opens_its_app(server: KernelServer) -> None:
    # What jupyter-server-proxy passes on: the name and the origin that the browser knows.
    headers = {"Host": "hub.example.com", "Origin": "https://hub.example.com", "X-Forwarded-Host": "hub.example.com"}
    assert status(page(server, server.new_session_id()), headers) == 200
    assert server.statistics().sessions == {"/app": 1}


def test_only_this_machine_reaches_it(server: KernelServer) -> None:
    assert server.address == "127.0.0.1"


@pytest.mark.parametrize("path", [
    "/", "/app", "/app/ws", "/app/autoload.js?bokeh-autoload-element=x", "/app/metadata", "/static/js/bokeh.min.js",
    "/_hotshoe/page.js", "/AAAAAAAAAAAAAAAAAAAAAA/app",
])  # fmt: skip
def test_without_the_secret_there_is_nothing(server: KernelServer, path: str) -> None:
    assert status(f"http://127.0.0.1:{server.port}{path}") == 404


def test_with_the_secret_only_it_takes_an_id_that_it_has_signed(server: KernelServer) -> None:
    foreign = new_session_id(key=b"another key")
    for url in (server.url("/app"), page(server, new_session_id()), page(server, foreign)):
        assert status(url) == 403
        assert status(url.replace("/app", "/app/autoload.js").replace("?", "?bokeh-autoload-element=x&")) in (400, 403)
    assert server.statistics().sessions == {"/app": 0}


def test_a_socket_needs_a_token_that_it_has_signed(server: KernelServer) -> None:
    url = server.url("/app/ws").replace("http://", "ws://")
    token = mint(new_session_id(), now_s=0, lifetime_s=2**31, payload={})
    socket = connect(url, subprotocols=["bokeh", token])  # type: ignore[list-item]
    with socket, pytest.raises(ConnectionClosed, match="signature"):
        socket.recv(20)
    with pytest.raises(InvalidStatus, match="404"):
        connect(url.replace(server.prefix, "/guess"), subprotocols=["bokeh", token])  # type: ignore[list-item]
    assert server.statistics().sessions == {"/app": 0}


def test_another_server_takes_over_the_place_but_not_the_ids(server: KernelServer) -> None:
    place, old = server.place, server.new_session_id()
    server.stop()
    again = start_server(app, place)
    try:
        assert again.place == place
        assert status(page(again, old)) == 403
        assert status(page(again, again.new_session_id())) == 200
    finally:
        again.stop()


def test_a_port_that_is_taken_meanwhile_is_replaced(server: KernelServer) -> None:
    other = start_server(app, KernelPlace("same-secret", server.port))
    try:
        assert other.port != server.port
        assert other.prefix == "/same-secret"
    finally:
        other.stop()


def test_a_port_that_is_asked_for_is_had_or_named(server: KernelServer) -> None:
    port = free_port()
    other = start_server(app, KernelPlace.new(), port=port)
    assert other.port == port
    other.stop()
    with pytest.raises(BindError, match=str(server.port)):
        start_server(app, KernelPlace.new(), port=server.port)


@pytest.mark.parametrize("name", ["address", "prefix", "allow_websocket_origin", "session_ids", "secret_key", "dev",
                                  "reloads"])
def test_what_keeps_it_closed_can_t_be_set(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        KernelServer(app, KernelPlace.new(), **{name: "x"})


def test_pages_show_what_is_wrong_and_no_files_are_watched(server: KernelServer) -> None:
    assert server.settings.dev
    assert isinstance(server._host, InlineHost)
    assert server._host._served.reloading() is None


def test_other_settings_can() -> None:
    assert KernelServer(app, KernelPlace.new(), threads=3).settings.threads == 3


def test_what_the_app_raises_is_in_the_page(server: KernelServer) -> None:
    def broken(document: Document) -> None:
        raise ValueError("no such thing")

    failing = start_server(broken, KernelPlace.new())
    try:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(page(failing, failing.new_session_id()), timeout=20)
        assert caught.value.code == 500
        assert b"no such thing" in caught.value.read()
        caught.value.close()
    finally:
        failing.stop()
