"""A Flask site with an app in its pages, over https: all from one origin, behind each of the proxies."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Request, WebSocket
from tests.support.browser.tab import Tab
from tests.support.deployed import (
    HOTSHOE,
    Certificate,
    ask,
    generate,
    listens,
    ports,
    processes,
    running,
    serve_lines,
    wrapped,
)

pytestmark = pytest.mark.real

CASES = {
    "nginx": ("--static", "SOCKET"),
    "apache": ("--static",),
    "caddy": ("--static", "SOCKET"),
    "haproxy": ("SOCKET",),
}


class Servers:
    """The processes behind the proxies: a command that several files have is run once."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.socket = str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "app.sock")
        (self.port,) = ports(1)
        self._folder = folder
        self._stack = stack
        self._running: set[str] = set()

    def start(self, command: str, ready: Callable[[], bool]) -> None:
        if command not in self._running:
            self._running.add(command)
            self._stack.enter_context(processes([command], self._folder, lambda _: ready()))

    def socket_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(self.socket)
            return True
        return False


@pytest.fixture(scope="module")
def servers(apps: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(apps, stack)


@contextmanager
def site(target: str, certificate: Certificate, servers: Servers, folder: Path, *words: str,
         gunicorn: bool = False) -> Iterator[str]:
    """The address of the shop behind the proxy; ``SOCKET`` among the words has it reached by a Unix socket."""
    plain, tls, own = ports(3)
    port = own if gunicorn or "--prefix" in words else servers.port
    where = ["--unix-socket", servers.socket] if "SOCKET" in words else ["--port", str(port)]
    files = generate(target, folder, "dial.py", "--flask", "shop:app", "--domain", "localhost", "--tls",
                     str(certificate.file), "--listen", f"127.0.0.1:{plain}", "--listen-tls", f"127.0.0.1:{tls}",
                     "--program", HOTSHOE, *where, *(word for word in words if word != "SOCKET"))
    ((name, text),) = files.items()
    (command,) = serve_lines(text)
    if gunicorn:
        python, command = wrapped(text)
        (folder / "wsgi.py").write_text(python)
        command += f" --pythonpath {folder}"
    servers.start(command, servers.socket_answers if "SOCKET" in words else partial(listens, port))
    with running(target, folder / name, tls):
        yield f"https://localhost:{tls}/"


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
def test_a_flask_site_at_the_root(target: str, certificate: Certificate, servers: Servers, tmp_path: Path,
                                  tab: Tab) -> None:
    with site(target, certificate, servers, tmp_path, *CASES[target]) as address:
        assert_one_origin(tab, address)
        assert ask(f"{address}static/logo.txt", certificate.trusting).text == "of the site"
        assert json.loads(ask(f"{address}where", certificate.trusting).body) == {
            "url": address, "address": "127.0.0.1"}
        script = ask(f"{address}_hotshoe/static/js/bokeh.min.js", certificate.trusting)
        assert (script.status, "javascript" in script.headers["Content-Type"]) == (200, True)
        if target == "nginx":
            assert script.headers["Server"].startswith("nginx")
            assert script.headers["Last-Modified"]


def test_flask_on_gunicorn_behind_nginx(certificate: Certificate, servers: Servers, tmp_path: Path, tab: Tab) -> None:
    """With the very lines that stand in nginx's file."""
    with site("nginx", certificate, servers, tmp_path, gunicorn=True) as address:
        assert_one_origin(tab, address)
        assert json.loads(ask(f"{address}where", certificate.trusting).body) == {
            "url": address, "address": "127.0.0.1"}


def test_flask_on_gunicorn_behind_two_proxies(certificate: Certificate, servers: Servers, tmp_path: Path) -> None:
    """What the first one says arrives, as gunicorn itself leaves it alone."""
    with site("nginx", certificate, servers, tmp_path, "--behind", "127.0.0.1", "--prefix", "/shop", "--strip-prefix",
              gunicorn=True) as root:
        said = ask(f"{root}shop/where", certificate.trusting, X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https",
                   X_Forwarded_Host="shop.example", X_Forwarded_Prefix="/outer")
        assert json.loads(said.body) == {"url": "https://shop.example/outer/shop/", "address": "203.0.113.7"}


def test_a_flask_site_below_a_prefix(certificate: Certificate, servers: Servers, tmp_path: Path, tab: Tab) -> None:
    with site("nginx", certificate, servers, tmp_path, "--prefix", "/shop", "--static") as root:
        assert_one_origin(tab, f"{root}shop/")
        assert ask(f"{root}shop/static/logo.txt", certificate.trusting).text == "of the site"
        assert json.loads(ask(f"{root}shop/where", certificate.trusting).body)["url"] == f"{root}shop/"
