"""A Flask site with an app in its pages, over https: all from one origin, behind each of the proxies."""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Request, WebSocket
from tests.browser.tab import Tab
from tests.deploy.programs import (
    HOTSHOE,
    Certificate,
    ask,
    generate,
    listens,
    ports,
    processes,
    running,
    serve_lines,
)

pytestmark = pytest.mark.real

CASES = {
    "nginx": ("--static", "--unix-socket"),
    "apache": ("--static",),
    "caddy": ("--static", "--unix-socket"),
    "haproxy": ("--unix-socket",),
}
GUNICORN = [sys.executable, "-m", "gunicorn", "-k", "uvicorn_worker.UvicornWorker", "wrapped:application", "--bind"]


@contextmanager
def site(target: str, certificate: Certificate, apps: Path, folder: Path, *words: str,
         gunicorn: bool = False) -> Iterator[str]:
    """The address of the shop behind the proxy; ``--unix-socket`` among the words stands for one that is free."""
    plain, tls, port = ports(3)
    with ExitStack() as stack:
        short = stack.enter_context(tempfile.TemporaryDirectory())  # a socket's path may have 107 characters
        where = ("--unix-socket", f"{short}/app.sock") if "--unix-socket" in words else ("--port", str(port))
        others = [word for word in words if word != "--unix-socket"]
        files = generate(target, folder, "dial.py", "--flask", "shop:app", "--domain", "localhost", "--tls",
                         str(certificate.file), "--listen", f"127.0.0.1:{plain}", "--listen-tls", f"127.0.0.1:{tls}",
                         "--program", HOTSHOE, *where, *others)
        ((name, text),) = files.items()
        commands: list[str | list[str]] = [*serve_lines(text)]
        if gunicorn:
            commands = [[*GUNICORN, f"127.0.0.1:{port}"]]
        stack.enter_context(processes(commands, apps, lambda _: _answers(where)))
        stack.enter_context(running(target, folder / name, tls))
        yield f"https://localhost:{tls}/"


def _answers(where: tuple[str, str]) -> bool:
    if where[0] == "--port":
        return listens(int(where[1]))
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(where[1])
        return True
    return False


def assert_one_origin(tab: Tab, address: str) -> None:
    """The shop's page, in a browser: it works, and everything it asks for is of its own origin and secure."""
    requests: list[Request] = []
    sockets: list[WebSocket] = []
    tab.page.on("request", lambda request: requests.append(request))
    tab.page.on("websocket", lambda opened: sockets.append(opened))
    tab.open(address)
    tab.wait_for_text("by https from 127.0.0.1")
    tab.do("model('Slider').value = 4")
    tab.wait_for_text("at 4 in")
    assert len(requests) > 3
    host = urlsplit(address).netloc
    assert {urlsplit(request.url)[:2] for request in requests if not request.url.startswith("data:")} == {
        ("https", host)}
    assert [urlsplit(opened.url)[:2] for opened in sockets] == [("wss", host)]


@pytest.mark.parametrize("target", CASES)
def test_a_flask_site_at_the_root(target: str, certificate: Certificate, apps: Path, tmp_path: Path, tab: Tab) -> None:
    with site(target, certificate, apps, tmp_path, *CASES[target]) as address:
        assert_one_origin(tab, address)
        assert ask(f"{address}static/logo.txt", certificate.trusting).text == "of the site"
        assert json.loads(ask(f"{address}where", certificate.trusting).body) == {
            "url": address, "address": "127.0.0.1"}
        script = ask(f"{address}_hotshoe/static/js/bokeh.min.js", certificate.trusting)
        assert (script.status, "javascript" in script.headers["Content-Type"]) == (200, True)
        if target == "nginx":
            assert script.headers["Server"].startswith("nginx")
            assert script.headers["Last-Modified"]


def test_flask_on_gunicorn_behind_nginx(certificate: Certificate, apps: Path, tmp_path: Path, tab: Tab) -> None:
    with site("nginx", certificate, apps, tmp_path, gunicorn=True) as address:
        assert_one_origin(tab, address)
        assert json.loads(ask(f"{address}where", certificate.trusting).body) == {
            "url": address, "address": "127.0.0.1"}


def test_a_flask_site_below_a_prefix(certificate: Certificate, apps: Path, tmp_path: Path, tab: Tab) -> None:
    with site("nginx", certificate, apps, tmp_path, "--prefix", "/shop", "--static") as root:
        assert_one_origin(tab, f"{root}shop/")
        assert ask(f"{root}shop/static/logo.txt", certificate.trusting).text == "of the site"
        assert json.loads(ask(f"{root}shop/where", certificate.trusting).body)["url"] == f"{root}shop/"
