"""Other ways to an app: Heroku's one port, two proxies with a prefix each, and Apache as people configure it."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
from bokeh.settings import settings
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
)

pytestmark = pytest.mark.real

BEHIND = ("--address", "127.0.0.1", "--use-xheaders")


def assert_works(tab: Tab, url: str) -> None:
    tab.open(url)
    tab.do("model('Slider').value = 6")
    tab.wait_for_text("at 6 in")


def test_heroku(apps: Path, tmp_path: Path, tab: Tab) -> None:
    """One process on one port, which the environment names; the router in front ends TLS."""
    files = generate("heroku", tmp_path, "dial.py", "--flask", "shop:app")
    assert files["Procfile"].startswith("web: ")
    (port,) = ports(1)
    command = ["sh", "-c", f"exec {files['Procfile'].removeprefix('web: ')}"]
    with processes([command], apps, lambda _: listens(port), PORT=str(port), DYNO="web.1"):
        assert_works(tab, f"http://localhost:{port}/")
        answer = ask(f"http://localhost:{port}/where", X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.7",
                     Host="shop.herokuapp.com")
        assert json.loads(answer.body) == {"url": "https://shop.herokuapp.com/", "address": "192.0.2.7"}


class Forwarder(socketserver.ThreadingTCPServer):
    """What ``ssh -L`` does once it is connected: bytes go from a port of the laptop to one of the server's loopback."""

    daemon_threads = True

    def __init__(self, to: int) -> None:
        self.to = to
        super().__init__(("127.0.0.1", 0), Forwarding)


class Forwarding(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Forwarder)
        with socket.create_connection(("127.0.0.1", self.server.to)) as far:
            back = threading.Thread(target=pump, args=(far, self.request))
            back.start()
            pump(self.request, far)
            back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_a_tunnel_to_another_port(apps: Path, tmp_path: Path, tab: Tab) -> None:
    (port,) = ports(1)
    files = generate("ssh-tunnel", tmp_path, "dial.py", "--domain", "far.example", "--port", str(port), "--program",
                     HOTSHOE)
    tab.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    with (
        processes(serve_lines(files["tunnel.sh"]), apps, lambda _: listens(port)),
        Forwarder(port) as forwarder,
    ):
        threading.Thread(target=forwarder.serve_forever, daemon=True).start()
        assert_works(tab, f"http://localhost:{forwarder.server_address[1]}/dial")
        forwarder.shutdown()


@pytest.mark.parametrize(("outer", "inner"), [
    ("nginx", "apache"),
    ("apache", "nginx"),
    ("haproxy", "caddy"),
    ("caddy", "haproxy"),
])
def test_a_prefix_on_top_of_a_prefix(outer: str, inner: str, shop: int, certificate: Certificate, apps: Path,
                                     tmp_path: Path, tab: Tab) -> None:
    """Each proxy cuts off its own; the inner one passes on what the outer one says of the visitor."""
    plain, tls, between = ports(3)
    (inside,) = generate(
        inner, tmp_path / "inner", "dial.py", "--flask", "shop:app", "--domain", "localhost", "--prefix", "/inner",
        "--strip-prefix", "--no-tls", "--listen", f"127.0.0.1:{between}", "--behind", "127.0.0.1", "--port", str(shop),
        "--name", "inner")
    (outside,) = generate(
        outer, tmp_path / "outer", "--domain", "localhost", "--prefix", "/outer", "--strip-prefix", "--tls",
        str(certificate.file), "--listen", f"127.0.0.1:{plain}", "--listen-tls", f"127.0.0.1:{tls}", "--upstream",
        f"127.0.0.1:{between}", "--health", "/inner/_hotshoe/health")
    with running(inner, tmp_path / "inner" / inside, between), running(outer, tmp_path / "outer" / outside, tls):
        address = f"https://localhost:{tls}/outer/inner/"
        assert_works(tab, f"{address}dial")
        tab.wait_for_text("by https from 127.0.0.1")
        assert_works(tab, address)
        said = ask(f"{address}where", certificate.trusting, X_Forwarded_Prefix="/evil", X_Forwarded_Host="evil.example")
        assert json.loads(said.body) == {"url": address, "address": "127.0.0.1"}


APACHE = {
    "wstunnel": """
        ProxyPass /dial/ws ws://127.0.0.1:{port}/dial/ws
        ProxyPassReverse /dial/ws ws://127.0.0.1:{port}/dial/ws
        ProxyPass /dial http://127.0.0.1:{port}/dial
        ProxyPassReverse /dial http://127.0.0.1:{port}/dial
        ProxyPass /_hotshoe http://127.0.0.1:{port}/_hotshoe
        Alias /static {static}
    """,
    "to a slash": """
        ProxyPass /dial/ws ws://127.0.0.1:{port}/dial/ws
        ProxyPass /dial http://127.0.0.1:{port}/dial/
        ProxyPassReverse /dial http://127.0.0.1:{port}/dial/
        Alias /static {static}
    """,
    "rewritten": """
        RewriteEngine On
        RewriteCond %{{HTTP:Upgrade}} =websocket [NC]
        RewriteRule /(.*) ws://127.0.0.1:{port}/$1 [P,L]
        ProxyPass / http://127.0.0.1:{port}/
    """,
    "upgrade": """
        ProxyPass /below/ http://127.0.0.1:{port}/ upgrade=websocket
        ProxyPassReverse /below/ http://127.0.0.1:{port}/
    """,
}
"""Hosts as the documentation of Bokeh and answers to questions have them."""
_HOST = """
Listen 127.0.0.1:{listen}
<VirtualHost 127.0.0.1:{listen}>
    ProxyPreserveHost {preserve}
    ProxyPass /favicon.ico http://127.0.0.1:{port}/favicon.ico
{says}
    <Directory "{static}">
        Require all granted
    </Directory>
</VirtualHost>
"""


@pytest.fixture(scope="module")
def shop(apps: Path) -> Iterator[int]:
    """The port of the apps, within a site, without a prefix."""
    (port,) = ports(1)
    command = [HOTSHOE, "serve", "dial.py", "--wsgi", "shop:app", *BEHIND, "--port", str(port)]
    with processes([command], apps, lambda _: listens(port)):
        yield port


@pytest.fixture(scope="module")
def by_hand(apps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[tuple[str, str], int]]:
    """Apache with all of the hosts: their ports by name, and whether the browser's Host is preserved."""
    port, *others = ports(1 + 2 * len(APACHE))
    hosts = dict(zip(product(APACHE, ("On", "Off")), others, strict=True))
    static = settings.bokehjs_path()
    file = tmp_path_factory.mktemp("apache") / "hosts.conf"
    file.write_text("".join(
        _HOST.format(listen=listen, port=port, preserve=preserve, static=static,
                     says=APACHE[name].format(port=port, static=static))
        for (name, preserve), listen in hosts.items()))
    command = [HOTSHOE, "serve", "dial.py", *BEHIND, "--port", str(port)]
    with processes([command], apps, lambda _: listens(port)), running("apache", file, others[-1]):
        yield hosts


@pytest.mark.parametrize("preserve", ["On", "Off"])
@pytest.mark.parametrize("name", APACHE)
def test_apache_by_hand(name: str, preserve: str, by_hand: Mapping[tuple[str, str], int], tab: Tab) -> None:
    below = "/below" if name == "upgrade" else ""
    assert_works(tab, f"http://localhost:{by_hand[name, preserve]}{below}/dial")
