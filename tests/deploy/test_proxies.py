"""nginx, Apache, Caddy and HAProxy with what `hotshoe deploy` generates for them, and Chromium before them.

Each has TLS, a prefix, two processes, and a timeout that is shorter than the page is idle. The processes are started
with the commands that stand in the generated file.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPSConnection
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from playwright.sync_api import WebSocket
from tests.browser.tab import Tab
from tests.deploy.programs import (
    HOTSHOE,
    Certificate,
    Process,
    ask,
    generate,
    listens,
    ports,
    processes,
    running,
    serve_lines,
)
from websockets.sync.client import connect
from websockets.typing import Subprotocol

pytestmark = pytest.mark.real

IDLE_S = 2
KEEP_ALIVE_MS = 1000
VISITORS = 16
CASES = {
    "nginx": ("nginx", "--static"),
    "apache": ("apache", "--static"),
    "apache-wstunnel": ("apache", "--wstunnel"),
    "caddy": ("caddy", "--static"),
    "haproxy": ("haproxy",),
}
_TOKEN = re.compile(r'"token":"([^"]+)"')


@dataclass
class Running:
    http: str
    https: str
    host: str
    folder: Path
    certificate: Certificate
    processes: list[Process]

    @property
    def built(self) -> Counter[str]:
        """How many sessions each process has built."""
        file = self.folder / "built"
        return Counter(file.read_text().split() if file.exists() else [])


@pytest.fixture(scope="module", params=CASES)
def proxy(request: pytest.FixtureRequest, certificate: Certificate, apps: Path,
          tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    target, *words = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "dial.py").write_text((apps / "dial.py").read_text())
    plain, tls, first, second = ports(4)
    files = generate(
        target, folder, "dial.py", "--domain", "localhost", "--domain", "127.0.0.1", "--prefix", "/apps",
        "--tls", str(certificate.file), "--listen", f"127.0.0.1:{plain}", "--listen-tls", f"127.0.0.1:{tls}",
        "--upstream", f"127.0.0.1:{first}", "--upstream", f"localhost:{second}", "--program", HOTSHOE,
        "--idle", str(IDLE_S), "--keep-alive", str(KEEP_ALIVE_MS), *words)
    ((name, text),) = files.items()
    with (
        processes(serve_lines(text), folder, lambda number: listens((first, second)[number])) as started,
        running(target, folder / name, tls),
    ):
        yield Running(f"http://localhost:{plain}", f"https://localhost:{tls}", f"localhost:{tls}", folder, certificate,
                      started)


def visit(proxy: Running) -> bool:
    """Opens a page and its websocket as a new visitor; whether one process has done both."""
    before = proxy.built
    page = ask(f"{proxy.https}/apps/dial", proxy.certificate.trusting)
    assert page.status == 200
    cookies: SimpleCookie = SimpleCookie()
    for header in page.headers.get_all("Set-Cookie", []):
        cookies.load(header)
    found = _TOKEN.search(page.text)
    assert found is not None
    with connect(f"wss://{proxy.host}/apps/dial/ws", ssl=proxy.certificate.trusting, origin=None, proxy=None,
                 subprotocols=[Subprotocol("bokeh"), Subprotocol(found[1])],
                 additional_headers={"Cookie": "; ".join(f"{key}={each.value}" for key, each in cookies.items())}
                 ) as socket:
        assert "ACK" in str(socket.recv(20)) + str(socket.recv(20)) + str(socket.recv(20))
    return sum((proxy.built - before).values()) == 1


def test_http_is_redirected_to_https(proxy: Running) -> None:
    answer = ask(f"{proxy.http}/apps/dial?a=1&b=%20c")
    assert answer.status == 308
    assert answer.headers["Location"] == f"{proxy.https}/apps/dial?a=1&b=%20c"


def test_the_certificate_and_what_else_is_there(proxy: Running) -> None:
    assert ask(f"{proxy.https}/apps/_hotshoe/page.js", proxy.certificate.trusting).status == 200
    assert ask(f"{proxy.https}/else", proxy.certificate.trusting).status == 404
    assert ask(f"{proxy.https}/appsandmore", proxy.certificate.trusting).status == 404
    script = ask(f"{proxy.https}/apps/static/js/bokeh.min.js?v=1", proxy.certificate.trusting, Accept_Encoding="gzip")
    assert script.status == 200
    assert "javascript" in script.headers["Content-Type"]
    assert script.headers["Content-Encoding"] == "gzip"
    assert int(re.findall(r"max-age=(\d+)", script.headers["Cache-Control"])[0]) >= 31536000
    assert ask(f"{proxy.https}/apps/static/js/none.js", proxy.certificate.trusting).status == 404


def test_what_visitors_say_of_themselves_does_not_count(proxy: Running) -> None:
    page = ask(f"{proxy.https}/apps/dial/metadata", proxy.certificate.trusting, X_Forwarded_Proto="http",
               X_Forwarded_For="6.6.6.6", X_Forwarded_Host="evil.example", Forwarded="for=6.6.6.6;host=evil.example",
               X_Forwarded_Prefix="/evil", X_Real_IP="6.6.6.6")
    assert page.status == 200
    index = ask(f"{proxy.https}/apps", proxy.certificate.trusting, X_Forwarded_Prefix="/evil",
                X_Forwarded_Host="evil.example")
    assert index.status in (302, 307)
    assert "evil" not in index.headers["Location"]


def test_bodies_have_a_limit(proxy: Running) -> None:
    with closing(HTTPSConnection(proxy.host, context=proxy.certificate.trusting, timeout=20)) as connection:
        with suppress(OSError):  # it may have heard enough
            connection.request("POST", "/apps/dial", body=b"x" * (2**20 + 1))
        answer = connection.getresponse()
        assert answer.status == 413
        assert b"The request's body is too large" not in answer.read(), "it was hotshoe that said so"


def test_a_websocket_goes_where_its_page_was_made(proxy: Running) -> None:
    assert [visit(proxy) for _ in range(VISITORS)] == [True] * VISITORS
    assert len(proxy.built) == 2, "one process has all visitors"


def test_a_page_in_a_browser_outlasts_the_timeout(proxy: Running, tab: Tab) -> None:
    sockets: list[WebSocket] = []
    tab.page.on("websocket", lambda socket: sockets.append(socket))
    tab.open(f"{proxy.https}/apps/dial")
    tab.wait_for_text("by https from 127.0.0.1")
    tab.do("model('Slider').value = 3")
    tab.wait_for_text("at 3 in")
    time.sleep(IDLE_S + 1.5)
    tab.do("model('Slider').value = 7")
    tab.wait_for_text("at 7 in")
    assert [socket.url for socket in sockets] == [f"wss://{proxy.host}/apps/dial/ws"]
    assert not sockets[0].is_closed()


def test_one_process_less(proxy: Running, tab: Tab) -> None:
    """The last test of each proxy, as it kills one."""
    victim, survivor = proxy.processes
    tab.open(f"{proxy.https}/apps/dial")
    tab.do("model('Slider').value = 2")
    tab.wait_for_text("at 2 in")
    if f"in {victim.process.pid}" not in tab.page.inner_text("body"):
        victim, survivor = survivor, victim
    victim.kill()
    for _ in range(VISITORS):
        assert ask(f"{proxy.https}/apps/dial", proxy.certificate.trusting).status == 200
    tab.open(f"{proxy.https}/apps/dial")
    tab.do("model('Slider').value = 5")
    tab.wait_for_text(f"at 5 in {survivor.process.pid}")
