"""WSGI sites: named as WSGI servers name them, answered as a WSGI server would."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import a2wsgi
import httpx
import pytest

from hotshoe.base.errors import ConfigError, SiteError
from hotshoe.web.site.departures import BUFFERED_BYTES
from hotshoe.web.site.wsgi import asgi_of, load_app

MODULE = """
class site:
    app = staticmethod(lambda environ, start_response: [b"nested"])

def make_app():
    return site.app
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "a_wsgi_site.py").write_text(MODULE)
    for name in ("a_wsgi_site", "broken_site"):
        sys.modules.pop(name, None)
    return tmp_path


@pytest.mark.parametrize("name", ["a_wsgi_site:site.app", "a_wsgi_site:make_app()"])
def test_names(folder: Path, name: str) -> None:
    assert load_app(name)({}, None) == [b"nested"]


def test_a_site_that_is_named_as_a_module_of_python(folder: Path) -> None:
    """``--wsgi site:app`` is how people write it, and Python has imported its own ``site`` before."""
    (folder / "site.py").write_text("import sys\nfile = sys.modules[__name__].__file__\ndef app(): return file")
    pythons_own = sys.modules["site"]
    try:
        assert load_app("site:app()") == str(folder / "site.py") == load_app("site:file")
    finally:
        del sys.modules["_site"]
    assert sys.modules["site"] is pythons_own
    (folder / "site.py").write_text("1 / 0")
    for _ in range(2):
        with pytest.raises(SiteError, match="site can't be imported: ZeroDivisionError"):
            load_app("site:app")


@pytest.mark.parametrize(("name", "text", "words"), [
    ("no_such_module:app", "", "there is no module no_such_module in .* or on Python's path"),
    ("no_such.module:app", "", "there is no module no_such in"),
    ("a_wsgi_site:application", "", "a_wsgi_site has no application"),
    ("a_wsgi_site:site.application", "", "a_wsgi_site has no site.application"),
    ("broken_site:app", "import no_such_thing", "broken_site can't be imported: ModuleNotFoundError: No module named"),
    ("broken_site:app", "def (", "broken_site can't be imported: SyntaxError"),
    ("broken_site:app", "1 / 0", r"can't be imported: ZeroDivisionError: division by zero \(broken_site.py, line 1\)"),
    ("broken_site:make()", "def make(): raise OSError('no\\ndata')", "of broken_site failed: OSError: no data"),
])
def test_what_can_not_be_loaded_is_one_line(folder: Path, name: str, text: str, words: str) -> None:
    (folder / "broken_site.py").write_text(text)
    with pytest.raises(SiteError, match=words) as caught:
        load_app(name)
    assert "\n" not in str(caught.value)


async def _ask(app: Any, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi_of(app)), base_url="http://site") as client:
        return await client.get("/a", **more)


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [repr([environ.get(name) for name in ("QUERY_STRING", "HTTP_COOKIE", "PATH_INFO")]).encode()]


async def test_a_query_that_is_not_ascii_is_quoted() -> None:
    scope_query = b"x=\xe9&y=%20+"

    async def with_query(scope: Any, receive: Any, send: Any) -> None:
        await asgi_of(echo)({**scope, "query_string": scope_query}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(with_query), base_url="http://site") as client:
        assert "'x=%E9&y=%20+'" in (await client.get("/a")).text


async def test_cookies_are_one_header() -> None:
    answer = await _ask(echo, headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    assert "'a=1; b=2'" in answer.text
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_no_visitor_writes_a_header_of_the_proxys_in_another_way() -> None:
    """To WSGI, both spellings are ``HTTP_X_REMOTE_USER``; proxies replace one of them."""
    found: list[Any] = []

    def look(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append(environ.get("HTTP_X_REMOTE_USER"))
        start_response("200 OK", [])
        return []

    await _ask(look, headers={"X_Remote_User": "admin"})
    await _ask(look, headers={"X-Remote-User": "ann", "X_Remote-User": "admin"})
    assert found == [None, "ann"]


@pytest.mark.parametrize(("root", "path", "info"), [
    ("/a", "/a/about", "/about"), ("/a", "/about", "/about"), ("/a/", "/a/about", "/about"), ("/a", "/a", ""),
    ("", "/about", "/about"),
])
async def test_the_path_below_a_root(root: str, path: str, info: str) -> None:
    found: list[Any] = []

    def look(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append((environ["SCRIPT_NAME"], environ["PATH_INFO"]))
        start_response("200 OK", [])
        return []

    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi_of(look), root_path=root)) as client:
        await client.get(f"http://site{path}")
    assert found == [(root.rstrip("/"), info)]


def size(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    begun.set()
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [str(len(body)).encode()]


begun = threading.Event()


class Upload:
    """A request whose body comes in parts, and what is answered."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answer: list[Any] = []
        begun.clear()
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [],
                 "http_version": "1.1", "server": ("h", 80), "client": ("c", 1)}
        self.task = asyncio.ensure_future(asgi_of(size)(scope, self.parts.get, self._take))

    async def _take(self, event: Any) -> None:
        self.answer.append(event)

    def send(self, body: bytes, *, more: bool) -> None:
        self.parts.put_nowait({"type": "http.request", "body": body, "more_body": more})

    async def taken(self) -> None:
        while not self.parts.empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_no_thread_waits_for_who_sends_slowly() -> None:
    upload = Upload()
    for _ in range(3):
        upload.send(b"x" * 1000, more=True)
        await upload.taken()
        assert not begun.is_set()
    upload.send(b"", more=False)
    await upload.task
    assert b"".join(event.get("body", b"") for event in upload.answer) == b"3000"


async def test_a_large_body_is_not_kept() -> None:
    upload = Upload()
    upload.send(b"x" * BUFFERED_BYTES, more=True)
    while not begun.is_set():
        await asyncio.sleep(0.01)
    upload.send(b"x", more=False)
    await upload.task
    assert b"".join(event.get("body", b"") for event in upload.answer) == str(BUFFERED_BYTES + 1).encode()


async def test_a_visitor_who_leaves_before() -> None:
    upload = Upload()
    upload.send(b"x", more=True)
    upload.parts.put_nowait({"type": "http.disconnect"})
    await upload.task
    assert (upload.answer, begun.is_set()) == ([], False)


def test_an_a2wsgi_that_takes_no_threads_of_ours_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    call = a2wsgi.WSGIMiddleware.__call__
    monkeypatch.setattr(call, "__code__", call.__code__.replace(
        co_names=tuple("workers" if name == "executor" else name for name in call.__code__.co_names)))
    with pytest.raises(ConfigError, match=r"a2wsgi .* has no executor any more.*pip install 'a2wsgi>="):
        asgi_of(echo)
