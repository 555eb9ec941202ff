"""Users as apps, hooks, clients and intruders meet them: a server, its sessions and its sockets."""

from __future__ import annotations

import http.client
import json
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from bokeh.util.token import get_token_payload
from tests.support.auth_modules import STARLETTE, TORNADO
from tests.support.raw_http import TIMEOUT_S, Reply, get
from tests.support.raw_websocket import ClosedError, WebSocket
from tests.support.server_thread import MakeServer
from tests.support.waiting import wait_until

from hotshoe import Server
from hotshoe.auth import User

pytestmark = pytest.mark.real

APP = """
from bokeh.io import curdoc
from bokeh.models import Div

context = curdoc().session_context
curdoc().title = f"{context.user and context.user.name} {context.logout_url} {context.request.user == context.user}"
curdoc().add_root(Div())
"""

both = pytest.mark.parametrize("source", [TORNADO, STARLETTE], ids=["tornado", "starlette"])

Guarded = Callable[..., Server]


@pytest.fixture
def guarded(make_server: MakeServer, tmp_path: Path) -> Guarded:
    def make(source: str, **more: Any) -> Server:
        path = tmp_path / "auth.py"
        path.write_text(textwrap.dedent(source))
        return make_server(app=APP, other=APP, **{"auth_module": str(path), **more})

    return make


def log_in(server: Server, name: str) -> dict[str, str]:
    """The header with the cookies of a login."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", f"{server.prefix}/login", urlencode({"name": name, "password": name[0]}),
                           {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        assert answer.status in (302, 303)
        answer.read()
        made = answer.msg.get_all("set-cookie") or []
    finally:
        connection.close()
    return {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in made)}


def connect(server: Server, page: Reply, headers: dict[str, str], app: str = "app") -> WebSocket:
    return WebSocket(server.port, f"{server.prefix}/{app}/ws", protocols=("bokeh", page.token),
                     headers=list(headers.items()))


def how_it_ends(socket: WebSocket) -> tuple[int | None, str]:
    with socket:
        try:
            while True:
                socket.receive()
        except ClosedError as error:
            return error.closed.code, error.closed.reason


@both
@pytest.mark.parametrize("prefix", ["", "/p"])
def test_an_app_knows_its_user(guarded: Guarded, source: str, prefix: str) -> None:
    server = guarded(source, prefix=prefix)
    assert get(server.port, f"{prefix}/app").status == 302
    page = get(server.port, f"{prefix}/app", log_in(server, "alice"))
    assert page.title == f"alice {prefix}/logout True"


@both
def test_sockets(guarded: Guarded, source: str) -> None:
    server = guarded(source)
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    page = get(server.port, "/app", alice)
    with connect(server, page, {}) as refused:
        assert refused.status == 401
    with connect(server, page, {"Cookie": alice["Cookie"][:-2] + "xx"}) as refused:
        assert refused.status == 401
    assert how_it_ends(connect(server, page, bob)) == (1008, "This session belongs to another user")
    assert server.statistics().connections == 0
    with connect(server, page, alice) as socket:
        assert socket.status == 101
        socket.receive()
        wait_until(lambda: server.statistics().connections == 1)
        # An expired token joins what lives, and is no way around either.
        assert get(server.port, f"/app?bokeh-token={page.token}", bob).status == 403


@both
def test_a_logout_ends_what_is_open(guarded: Guarded, source: str) -> None:
    server = guarded(source)
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    sockets = [connect(server, get(server.port, f"/{app}", who), who, app)
               for app, who in (("app", alice), ("other", alice), ("app", bob))]
    wait_until(lambda: server.statistics().connections == 3)
    get(server.port, "/logout", alice)
    for socket in sockets[:2]:
        assert how_it_ends(socket) == (1008, "You are not logged in any more. Load this page again to log in.")
    wait_until(lambda: server.statistics().connections == 1)
    sockets[2].cut()


def test_an_expired_token_of_somebody_else(guarded: Guarded) -> None:
    server = guarded(STARLETTE, session_token_expiration=1)
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    page = get(server.port, "/app", alice)
    with connect(server, page, alice) as socket:
        socket.receive()
        expiry: int = get_token_payload(page.token)["session_expiry"]
        wait_until(lambda: time.time() > expiry)
        assert how_it_ends(connect(server, page, bob)) == (1008, "This session belongs to another user")
        with connect(server, page, alice) as again:
            again.receive()
            wait_until(lambda: server.statistics().connections == 2)


def test_rules_of_flags_and_of_the_module(guarded: Guarded) -> None:
    source = STARLETTE + "\ndef authorize(user, app):\n    return (user.name, app) != ('bob', '/other')\n"
    server = guarded(source, allow=("app=@alice",))
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    assert [get(server.port, path, who).status for who in (alice, bob) for path in ("/app", "/other")] == [
        200, 200, 403, 403]
    page = get(server.port, "/app", alice)
    with connect(server, page, bob) as refused:
        assert refused.status == 403


def test_hooks_and_the_log_know_the_user(tmp_path: Path, make_server: MakeServer) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "main.py").write_text(textwrap.dedent(APP))
    (folder / "app_hooks.py").write_text(textwrap.dedent(f"""
        import json
        from pathlib import Path

        def note(name, user):
            with Path({str(tmp_path / "notes")!r}).open("a") as file:
                file.write(json.dumps([name, user.name, user.email, sorted(user.groups), dict(user.claims)]) + "\\n")

        def on_request(request):
            note("request", request.user)
            return {{}}

        def on_session_created(session_context):
            note("created", session_context.user)
    """).replace("def on_request", "def process_request"))
    source = """
        from starlette.requests import Request
        login_url = "/in"
        async def get_user(request: Request):
            return {"login": "jo", "email": "jo@x.org", "groups": ["a"], "extra": [1]}
    """
    auth = tmp_path / "auth.py"
    auth.write_text(textwrap.dedent(source))
    server = make_server(house=folder, auth_module=str(auth))
    assert get(server.port, "/house").title == "jo None True"
    claims = {"login": "jo", "email": "jo@x.org", "groups": ["a"], "extra": [1]}
    notes = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    assert ["created", "jo", "jo@x.org", ["a"], claims] in notes


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_panel_knows_the_user(make_server: MakeServer) -> None:
    pytest.importorskip("panel")

    class Provider:
        endpoints: dict[str, Any] = {}
        logout_path = None

        async def user_of(self, connection: Any) -> User | None:
            name = connection.headers.get("x-user")
            return User(name, "jo@x.org", frozenset({"b", "a"}), {"given_name": "Jo"}) if name else None

        async def login_path(self, connection: Any) -> None:
            return None

        async def start(self) -> None: ...
        async def stop(self) -> None: ...

    server = make_server(app="""
        import panel as pn
        pn.extension()
        info = pn.state.user_info
        pn.state.curdoc.title = f"{pn.state.user} {info['username']} {info['groups']} {info['given_name']}"
        pn.panel("x").servable()
    """, auth=Provider())
    assert get(server.port, "/app", {"X-User": "jo"}).title == "jo jo ['a', 'b'] Jo"
    assert get(server.port, "/app").status == 401
