"""What a stranger does a thousand times stands a few times in the log, with the number of times that it does not."""

from __future__ import annotations

import ast
import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from bokeh.models.widgets import Div
from tests.support.asgi_websocket import Peer, socket_scope, token_of
from tests.support.raw_websocket import ClosedError, WebSocket, frame

import hotshoe
from hotshoe.auth import User
from hotshoe.base import logs
from hotshoe.server.server import Server
from hotshoe.web.mount import Asgi

TIMES, A_HUNDRED = 1000, 100
"""What runs an app each time, or opens a connection, is done a hundred times: that shows it, and takes less."""
MOST_LINES = 25
"""Of one deed: it may cause lines of two kinds; errors with a traceback come up to 20 times a minute."""

Deed = Callable[["Attacker"], Awaitable[None]]


def app(doc: Any) -> None:
    doc.add_root(Div(text="an app", name="it"))


def broken(doc: Any) -> None:
    raise ZeroDivisionError("each time")


class Known:
    """A provider for which everybody is who they say."""

    endpoints: dict[str, Any] = {}
    logout_path = None

    async def user_of(self, connection: Any) -> User | None:
        if (name := connection.cookies.get("who")) == "bug":
            raise RuntimeError("the provider fails")
        return User(name) if name else None

    async def login_path(self, connection: Any) -> str | None:
        return None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Attacker:
    """Asks an ASGI app."""

    def __init__(self, both: Asgi, client: httpx.AsyncClient, token: str) -> None:
        self._both, self._client, self._token = both, client, token

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._client.get(path, headers={name.replace("_", "-"): each for name, each in headers.items()})

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self._client.post(path, data=fields)

    async def connect(self, *said: dict[str, Any], token: str | None = None, path: str = "/app/ws",
                      **headers: str) -> list[dict[str, Any]]:
        """Open a websocket, say something, and wait for its end."""
        offered = ["bokeh", self._token if token is None else token]
        peer = Peer(self._both, socket_scope(path, protocols=offered, headers=headers))
        heard = [await peer.hear()]
        for event in said:
            peer.say(type="websocket.receive", **event)
        return heard + await peer.ended()


def patch_of_nobody() -> list[dict[str, Any]]:
    content = '{"events":[{"kind":"ModelChanged","model":{"id":"nope"},"attr":"x","new":1}]}'
    header = '{"msgid":"1","msgtype":"PATCH-DOC"}'
    return [{"text": text} for text in (header, "{}", content)]


async def forge_a_token(at: Attacker) -> None:
    await at.connect(token="abc.def")


async def open_from_elsewhere(at: Attacker) -> None:
    await at.connect(Origin="http://evil.example")


async def send_no_message(at: Attacker) -> None:
    await at.connect({"text": "no JSON"})


async def send_what_can_not_be_applied(at: Attacker) -> None:
    await at.connect(*patch_of_nobody(), {"text": "no JSON"})


async def open_what_fails(at: Attacker) -> None:
    await at.get("/broken")


async def embed_what_fails(at: Attacker) -> None:
    await at.get("/broken/autoload.js?bokeh-autoload-element=a&bokeh-app-path=/broken")


async def open_what_is_not_for_them(at: Attacker) -> None:
    await at.get("/closed", Cookie="who=eve")


async def make_the_provider_fail(at: Attacker) -> None:
    await at.get("/app", Cookie="who=bug")


async def embed_without_an_element(at: Attacker) -> None:
    await at.get("/app/autoload.js")


async def ask_as_a_proxy(at: Attacker) -> None:
    await at.get("/app/metadata", X_Forwarded_For="6.6.6.6", Forwarded="for=7.7.7.7", X_Forwarded_Prefix="//x\\y")


DEEDS = [forge_a_token, open_from_elsewhere, send_no_message, send_what_can_not_be_applied, open_what_fails,
         embed_what_fails, open_what_is_not_for_them, make_the_provider_fail, embed_without_an_element, ask_as_a_proxy]
SILENT = {embed_without_an_element}
SLOW = {open_what_fails, embed_what_fails}


@pytest.fixture
async def attacker() -> AsyncIterator[Attacker]:
    both = hotshoe.asgi({"/app": app, "/broken": broken, "/closed": app}, auth=Known(), public=("/app", "/broken"),
                        allow=("/closed=staff",), use_xheaders=True)
    transport = httpx.ASGITransport(both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield Attacker(both, client, token_of(await client.get("/app")))


def check(caplog: pytest.LogCaptureFixture, times: int, *, silent: bool = False) -> None:
    """The thousand and first has been done after the minute, and says of how many others nothing was said."""
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("hotshoe")]
    assert len(lines) <= MOST_LINES, lines[:40]
    said = sum(int(number) for line in lines for number in re.findall(r"\(and (\d+) more since the last such", line))
    assert silent == (not lines)
    assert silent or said + len(lines) >= times


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
async def test_a_thousand_times(deed: Deed, attacker: Attacker, caplog: pytest.LogCaptureFixture,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    times = A_HUNDRED if deed in SLOW else TIMES
    for _ in range(times):
        await deed(attacker)
    monkeypatch.setattr(logs, "LOG_EVERY_S", 0.0)
    await deed(attacker)
    check(caplog, times, silent=deed in SILENT)


# -- what only a server on a socket hears


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/app": app}, port=0, address="127.0.0.1", max_header_size=1024, max_body_size=100) as running:
        yield running


def send(server: Server, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(data)
        while connection.recv(65536):
            pass


def send_no_http(server: Server, client: httpx.Client) -> None:
    send(server, b"\0\1\2\r\n\r\n")


def ask_by_a_foreign_name(server: Server, client: httpx.Client) -> None:
    client.get("/app/metadata", headers={"Host": "evil.example"})


def send_a_large_head(server: Server, client: httpx.Client) -> None:
    client.get("/app/metadata", headers={"Cookie": "x" * 2000})


def send_a_large_body(server: Server, client: httpx.Client) -> None:
    client.post("/app", content=b"x" * 2000)


def break_a_frame(server: Server, client: httpx.Client) -> None:
    token = token_of(SimpleNamespace(text=client.get("/app").text))  # type: ignore[arg-type]
    with WebSocket(server.port, "/app/ws", protocols=("bokeh", token)) as opened:
        opened.socket.sendall(frame(b"\xff\xff", 1))
        try:
            while True:
                opened.next_payload()
        except (ClosedError, OSError):
            return


OVER_A_SOCKET = [send_no_http, ask_by_a_foreign_name, send_a_large_head, send_a_large_body, break_a_frame]


@pytest.mark.parametrize("deed", OVER_A_SOCKET, ids=lambda deed: deed.__name__)
def test_a_hundred_times_over_a_socket(deed: Callable[[Server, httpx.Client], None], server: Server,
                                       caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    with httpx.Client(base_url=f"http://localhost:{server.port}") as client:
        for _ in range(A_HUNDRED):
            deed(server, client)
        monkeypatch.setattr(logs, "LOG_EVERY_S", 0.0)
        deed(server, client)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("hotshoe")]
    assert len(lines) <= MOST_LINES, lines[:40]


# -- there is no other way

SOURCES = Path(hotshoe.__file__).parent
LOOKED_AT = ("auth", "web", "server", "http", "hosts", "pages", "integrations")
"""The packages whose code strangers reach."""
_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
NOT_BY_STRANGERS = {
    "No user can log in until the login provider can be reached": "at the start",
    "Nobody can log in: the users file has no users yet": "at the start",
    "Everybody with an account at %s can log in": "at the start",
    "--allow names %s by GitHub login": "at the start",
    "User %r has logged in": "a password or a provider has said who it is; each login is to be found in the log",
    "User %r has logged out": "of one who had logged in",
    "The password of %r keeps its old hash": "of one who has logged in",
    "The users file %s can be read": "at the start",
    "The users file %s can't be read": "once for each change of the file",
    "%s, line %d, is ignored": "once for each change of the file",
    "No app is at %s now": "once for each change of the apps, which an operator makes",
    "The app at %s is not served": "once for each change of the apps, which an operator makes",
    "Compiled custom models are kept in memory only": "once",
    "Dev mode shows code": "at the start",
    "All apps are closed": "once for each start",
    "Stopping ": "at the end",
    "BOKEH_SECRET_KEY is shorter": "at the start",
    "Could not keep a secret key": "at the start",
    "The certificate has changed": "once for each change of the file",
    "Browsers need a valid certificate": "once for each certificate",
    "The lifespan of the site": "at the end",
    "uvicorn's parser httptools": "once",
    "The server can": "at the start",
    "process_request returned": "once",
    "The server could not start": "at the start",
    "%s is broken": "when the app has been loaded",
    "No file notifications": "at the start",
    "reloading failed": "when a file has changed",
    "reloaded": "when a file has changed",
    "on_server_loaded": "at the start",
    "on_server_unloaded": "at the end",
    "Could not collect usage statistics": "once for each look, every some seconds",
    "[pid %d]": "once for each look, every some seconds",
    "%s serves the apps only under runserver": "at the start",
    '"%s %s HTTP/%s"': "the log of requests of runserver, which is for development",
    "Could not keep a compiled": "at debug level",
    "An app has replaced the handler": "when an app has done so, and once a second at most",
    "An app has closed the descriptor": "when an app has done so, and once a second at most",
    "A callback of session": "when a callback has computed for nobody for long, and can't be ended",
    "  uncollected": "once for each look, every some seconds",
}


def _plain_lines() -> Iterator[tuple[str, str]]:
    """Where a line is logged by a plain logger, and its text."""
    for package in LOOKED_AT:
        for file in sorted((SOURCES / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            plain = {target.id for node in tree.body if isinstance(node, ast.Assign)
                     and ast.unparse(node.value).startswith("logging.getLogger(")
                     for target in node.targets if isinstance(target, ast.Name)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS \
                        and isinstance(node.func.value, ast.Name) and node.func.value.id in plain:
                    texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                    yield f"{file.name}:{node.lineno}", str(texts[0]) if texts else ""


def test_all_other_lines_are_not_caused_by_strangers() -> None:
    lines = list(_plain_lines())
    assert lines
    unknown = [(where, text) for where, text in lines if not text.startswith(tuple(NOT_BY_STRANGERS))]
    assert unknown == [], "log it by a PacedLog, or say here why no stranger makes it come"
    stale = [begin for begin in NOT_BY_STRANGERS if not any(text.startswith(begin) for _, text in lines)]
    assert stale == [], "no line begins like that any more"
