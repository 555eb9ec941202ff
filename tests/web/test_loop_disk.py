"""The event loop never touches the disk while it serves: on a network mount that hangs it would serve nobody.

Whatever opens, lists or looks at files on the loop's thread during the requests below is found, with the place in our
code that did it. What Python itself does when it imports a module late counts, too.
"""

from __future__ import annotations

import os
import posix
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from tests.support.accounts import write_users
from tests.support.raw_websocket import WebSocket

from hotshoe.auth.accounts import Account
from hotshoe.auth.basic.passwords import hash_password
from hotshoe.server.server import Server

_STATS = ("stat", "lstat", "access", "readlink")
_AUDITED = frozenset({"open", "os.listdir", "os.scandir"})
_PASSWORD = "correct horse"

_watch: Watch | None = None


class Watch:
    """What one thread does with files between ``begin`` and ``end``."""

    def __init__(self, thread: threading.Thread) -> None:
        self._thread = thread.ident
        self.found: list[str] = []

    def note(self, what: str, path: object) -> None:
        if threading.get_ident() == self._thread and not isinstance(path, int):
            # The module traceback would look at the files of the code.
            calls = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_stack(None)]
            ours = [f"{file.rpartition('/')[2]}:{line}" for file, line in calls if "/hotshoe/" in file]
            self.found.append(f"{what} {path!r}: {' < '.join(ours[:5])}")


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch is not None and event in _AUDITED:
        _watch.note(event, arguments[0])


sys.addaudithook(_hear)


@contextmanager
def watching(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    global _watch
    (thread,) = (each for each in threading.enumerate() if each.name == "hotshoe-server")
    _watch = watch = Watch(thread)
    with monkeypatch.context() as patch:
        for name in _STATS:
            real = getattr(posix, name)

            def noting(path: Any, *args: Any, _name: str = name, _real: Any = real, **more: Any) -> Any:
                watch.note(f"os.{_name}", path)
                return _real(path, *args, **more)

            patch.setattr(os, name, noting)  # ours and the standard library's
            patch.setattr(posix, name, noting)  # the import system's
        try:
            yield watch
        finally:
            _watch = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    app = tmp_path / "app"
    (app / "static").mkdir(parents=True)
    (app / "main.py").write_text("from bokeh.plotting import curdoc, figure\ncurdoc().add_root(figure())\n")
    (app / "app.yaml").write_text("title: An app\n")
    (app / "static" / "own.css").write_text("p {}")
    (app / "thumbnail.png").write_bytes(b"\x89PNG")
    quick = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
    write_users(tmp_path / "users", Account("ada", hash_password(_PASSWORD, quick)))
    return tmp_path


PATHS = (
    "/", "/app", "/app/", "/app/metadata", "/app/static/own.css", "/app/static/none.css",
    "/app/static/js/bokeh.min.js", "/app/static/extensions/panel/panel.min.js", "/app/static/../main.py",
    "/static/js/bokeh.min.js", "/static/js/none.js",
    "/static/extensions/panel/panel.min.js", "/static/extensions/none_such/x.js", "/static/extensions/json/x.js",
    "/_hotshoe/page.js", "/_hotshoe/embed.js", "/_hotshoe/refusal", "/_hotshoe/thumbnails/app", "/_hotshoe/source/app",
    "/_hotshoe/models/0123456789abcdef0123456789abcdef.js", "/app/ws", "/favicon.ico", "/none",
    "/app/autoload.js?bokeh-autoload-element=a&bokeh-app-path=/app&bokeh-absolute-url=http://localhost/app",
    "/app/autoload.js",
)


def ask_for_all(client: httpx.Client, port: int) -> dict[str, int]:
    statuses = {path: client.get(path).status_code for path in PATHS}
    statuses["HEAD"] = client.head("/app").status_code
    statuses["POST"] = client.post("/app").status_code
    page = client.get("/app").text
    if token := re.search(r'"token":\s*"([^"]+)"', page):
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        with WebSocket(port, "/app/ws", protocols=("bokeh", token[1]), headers=[("Cookie", cookie)]) as socket:
            statuses["socket"] = socket.status
            socket.pull()
    with WebSocket(port, "/app/ws", protocols=("bokeh", "forged")) as socket:
        statuses["forged"] = socket.status
    with WebSocket(port, "/app/ws", origin="http://elsewhere.example") as socket:
        statuses["foreign"] = socket.status
    return statuses


@pytest.mark.parametrize("dev", [False, True])
def test_requests(folder: Path, dev: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(str(folder / "app"), port=0, address="127.0.0.1", show_source=True, disable_index_redirect=True,
                csp=True, dev=dev) as server, \
            httpx.Client(base_url=f"http://localhost:{server.port}") as client:
        with watching(server, monkeypatch) as watch:
            statuses = ask_for_all(client, server.port)
        assert watch.found == []
        served = ("/", "/app", "/app/static/own.css", "/_hotshoe/thumbnails/app", "socket")
        assert [statuses[path] for path in served] == [200, 200, 200, 200, 101]


def test_requests_behind_a_login(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(str(folder / "app"), port=0, address="127.0.0.1", show_source=True, auth="basic",
                users_file=str(folder / "users")) as server, \
            httpx.Client(base_url=f"http://localhost:{server.port}") as client:
        with watching(server, monkeypatch) as watch:
            assert ask_for_all(client, server.port)["/app"] == 302
            form = client.get("/login").text
            token = re.search(r'name="form_token" value="([^"]+)"', form)
            assert token is not None
            fields = {"form_token": token[1], "name": "ada", "password": "wrong", "next": "/app"}
            assert client.post("/login", data=fields).status_code == 401
            assert client.post("/login", data={**fields, "password": _PASSWORD}).status_code == 303
            statuses = ask_for_all(client, server.port)
            client.get("/logout")
        assert watch.found == []
        assert [statuses[path] for path in ("/app", "/app/static/own.css", "socket")] == [200, 200, 101]


@pytest.mark.parametrize("look", [
    lambda path: path.open().close(), lambda path: path.stat(), lambda path: path.exists(),
    lambda path: list(path.parent.iterdir()), lambda path: path.resolve(), lambda path: find_spec("none_such_either")])
def test_the_watch_sees_what_the_loop_does(look: Callable[[Path], Any], folder: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    def app(doc: Any) -> None:
        look(folder / "users")

    with Server(app, port=0, address="127.0.0.1", threads=0) as server:  # so that apps run on the loop
        with watching(server, monkeypatch) as watch:
            httpx.get(server.url("/"))
        assert watch.found
