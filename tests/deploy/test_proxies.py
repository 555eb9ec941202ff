"""nginx, Apache, Caddy and HAProxy with what `hotshoe deploy` generates for them, and Chromium before them.

Each has TLS, a prefix, and the same two processes, which are started with the commands that stand in all of the
generated files.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPSConnection
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import WebSocket
from tests.support.browser.tab import Tab
from tests.support.deployed import (
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
from tests.support.waiting import wait_until
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

pytestmark = pytest.mark.real

IDLE_S = 3
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
class Farm:
    """Two processes, and each of the proxies before both of them."""

    folder: Path
    ports: tuple[int, int]
    processes: list[Process]
    proxies: dict[str, Proxy]

    @property
    def built(self) -> Counter[str]:
        """How many sessions each process has built."""
        file = self.folder / "built"
        return Counter(file.read_text().split() if file.exists() else [])


@dataclass(frozen=True)
class Proxy:
    http: str
    https: str
    trusting: ssl.SSLContext

    @property
    def websocket(self) -> str:
        return f"wss{self.https.removeprefix('https')}/apps/dial/ws"


@dataclass(frozen=True)
class Generated:
    """The file for a proxy."""

    target: str
    file: Path
    tls: int
    proxy: Proxy
    commands: tuple[str, ...]
    """What it goes with."""

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        with running(self.target, self.file, self.tls):
            yield self.proxy


def generated(case: str, folder: Path, upstreams: tuple[int, int], certificate: Certificate, *more: str,
              app: str = "dial.py") -> Generated:
    """The name of each proxy's cookie is its own, as browsers do not keep cookies apart by ports."""
    target, *words = CASES[case]
    plain, tls = ports(2)
    own = folder / f"{case}{''.join(more)}"
    files = generate(
        target, own, app, "--domain", "localhost", "--domain", "127.0.0.1", "--prefix", "/apps", "--tls",
        str(certificate.file), "--listen", f"127.0.0.1:{plain}", "--listen-tls", f"127.0.0.1:{tls}", "--upstream",
        f"127.0.0.1:{upstreams[0]}", "--upstream", f"localhost:{upstreams[1]}", "--program", HOTSHOE, "--keep-alive",
        str(KEEP_ALIVE_MS), "--name", case, *words, *more)
    ((name, text),) = files.items()
    proxy = Proxy(f"http://localhost:{plain}", f"https://localhost:{tls}", certificate.trusting)
    return Generated(target, own / name, tls, proxy, tuple(serve_lines(text)))


@pytest.fixture(scope="module")
def farm(certificate: Certificate, apps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("farm")
    (folder / "dial.py").write_text((apps / "dial.py").read_text())
    first, second = ports(2)
    files = {case: generated(case, folder, (first, second), certificate) for case in CASES}
    (commands,) = {each.commands for each in files.values()}
    with ExitStack() as stack:
        # First the processes: a check of a port on which nobody listens may itself take that port.
        both = stack.enter_context(
            processes(list(commands), folder, lambda number: listens((first, second)[number])))
        proxies = {case: stack.enter_context(each.running()) for case, each in files.items()}
        for proxy in proxies.values():
            wait_until(partial(answers, proxy), 60)
        yield Farm(folder, (first, second), both, proxies)


def answers(proxy: Proxy) -> bool:
    return ask(f"{proxy.https}/apps/_hotshoe/health", proxy.trusting).status == 200


@pytest.fixture(params=CASES)
def proxy(request: pytest.FixtureRequest, farm: Farm) -> Proxy:
    return farm.proxies[request.param]


def visit(proxy: Proxy, farm: Farm) -> bool:
    """Opens a page and its websocket as a new visitor; whether one process has done both."""
    before = farm.built
    page = ask(f"{proxy.https}/apps/dial", proxy.trusting)
    assert page.status == 200
    cookies: SimpleCookie = SimpleCookie()
    for header in page.headers.get_all("Set-Cookie", []):
        cookies.load(header)
    found = _TOKEN.search(page.text)
    assert found is not None
    brought = "; ".join(f"{key}={each.value}" for key, each in cookies.items())
    with ThreadPoolExecutor(1) as aside:  # in this thread, the browser's event loop runs
        said = aside.submit(asyncio.run, greeting(proxy, found[1], brought)).result()
    assert "ACK" in said
    return sum((farm.built - before).values()) == 1


async def greeting(proxy: Proxy, token: str, cookies: str) -> str:
    """What comes first through the page's websocket. (The client with threads races with itself over TLS.)"""
    async with connect(proxy.websocket, ssl=proxy.trusting, proxy=None, open_timeout=60, close_timeout=60,
                       subprotocols=[Subprotocol("bokeh"), Subprotocol(token)],
                       additional_headers={"Cookie": cookies}) as socket:
        return "".join([str(await asyncio.wait_for(socket.recv(), 60)) for _ in range(3)])


def test_http_is_redirected_to_https(proxy: Proxy) -> None:
    answer = ask(f"{proxy.http}/apps/dial?a=1&b=%20c")
    assert answer.status == 308
    assert answer.headers["Location"] == f"{proxy.https}/apps/dial?a=1&b=%20c"


def test_the_certificate_and_what_else_is_there(proxy: Proxy) -> None:
    assert ask(f"{proxy.https}/apps/_hotshoe/page.js", proxy.trusting).status == 200
    assert ask(f"{proxy.https}/else", proxy.trusting).status == 404
    assert ask(f"{proxy.https}/appsandmore", proxy.trusting).status == 404
    script = ask(f"{proxy.https}/apps/static/js/bokeh.min.js?v=1", proxy.trusting, Accept_Encoding="gzip")
    assert script.status == 200
    assert "javascript" in script.headers["Content-Type"]
    assert script.headers["Content-Encoding"] == "gzip"
    assert script.headers["Cache-Control"] == "no-cache", "no ?v= is believed that is not the file's version"
    assert ask(f"{proxy.https}/apps/static/js/none.js", proxy.trusting).status == 404


def test_what_visitors_say_of_themselves_does_not_count(proxy: Proxy) -> None:
    page = ask(f"{proxy.https}/apps/dial/metadata", proxy.trusting, X_Forwarded_Proto="http",
               X_Forwarded_For="6.6.6.6", X_Forwarded_Host="evil.example", Forwarded="for=6.6.6.6;host=evil.example",
               X_Forwarded_Prefix="/evil", X_Real_IP="6.6.6.6")
    assert page.status == 200
    index = ask(f"{proxy.https}/apps", proxy.trusting, X_Forwarded_Prefix="/evil",
                X_Forwarded_Host="evil.example")
    assert index.status in (302, 307)
    assert "evil" not in index.headers["Location"]


def test_bodies_have_a_limit(proxy: Proxy) -> None:
    with closing(HTTPSConnection(urlsplit(proxy.https).netloc, context=proxy.trusting, timeout=60)) as connection:
        with suppress(OSError):  # it may have heard enough
            connection.request("POST", "/apps/dial", body=b"x" * (2**20 + 1))
        answer = connection.getresponse()
        assert answer.status == 413
        assert b"The request's body is too large" not in answer.read(), "it was hotshoe that said so"


def test_a_websocket_goes_where_its_page_was_made(proxy: Proxy, farm: Farm) -> None:
    before = farm.built
    assert [visit(proxy, farm) for _ in range(VISITORS)] == [True] * VISITORS
    assert len(farm.built - before) == 2, "one process has all visitors"


def test_pages_outlast_the_timeout(farm: Farm, certificate: Certificate, new_tab: Callable[[], Tab]) -> None:
    """Proxies whose timeout is shorter than pages are idle; pings come more often."""
    with ExitStack() as stack:
        tabs: dict[Proxy, Tab] = {}
        sockets: list[WebSocket] = []
        for case in CASES:
            file = generated(case, farm.folder, farm.ports, certificate, "--idle", str(IDLE_S))
            proxy = stack.enter_context(file.running())
            tabs[proxy] = tab = new_tab()
            tab.page.on("websocket", lambda socket: sockets.append(socket))
            tab.open(f"{proxy.https}/apps/dial")
            tab.wait_for_text("by https from 127.0.0.1")
            tab.do("model('Slider').value = 3")
            tab.wait_for_text("at 3 in")
        time.sleep(IDLE_S + 1)  # the last tab has been idle for longer than a proxy waits
        for tab in tabs.values():
            tab.do("model('Slider').value = 7")
            tab.wait_for_text("at 7 in")
        assert [socket.url for socket in sockets] == [proxy.websocket for proxy in tabs]
        assert not [socket for socket in sockets if socket.is_closed()]


ONLY_THE_FIRST = """
import os, time
from pathlib import Path

def on_server_loaded(context):
    try:
        Path("first").touch(exist_ok=False)
    except FileExistsError:
        while not Path("go").exists():
            time.sleep(0.01)
"""


@pytest.mark.parametrize("case", ["apache", "caddy", "haproxy"])
def test_a_process_that_starts_gets_no_visitors(
    case: str, certificate: Certificate, apps: Path, tmp_path: Path
) -> None:
    """These proxies ask for health. A page that is sent to a process that starts would wait for it."""
    (tmp_path / "dial").mkdir()
    (tmp_path / "dial" / "main.py").write_text((apps / "dial.py").read_text())
    (tmp_path / "dial" / "server_lifecycle.py").write_text(ONLY_THE_FIRST)
    first, second = ports(2)
    file = generated(case, tmp_path, (first, second), certificate, app="dial")
    with processes(list(file.commands), tmp_path, lambda number: is_alive((first, second)[number])) as both:
        wait_until(lambda: sorted(health(port) for port in (first, second)) == [200, 503])
        farm = Farm(tmp_path, (first, second), both, {case: file.proxy})
        with file.running() as proxy:
            waited = 0
            while not all(comes_at_once(proxy) for _ in range(VISITORS)):  # until the proxy has asked often enough
                waited += 1
                assert waited < 10
            (pid,) = farm.built
            (tmp_path / "go").touch()
            wait_until(lambda: comes_at_once(proxy) and sum(farm.built.values()) - farm.built[pid] > waited, 60)


def comes_at_once(proxy: Proxy) -> bool:
    try:
        return ask(f"{proxy.https}/apps/dial", proxy.trusting, timeout_s=5).status == 200
    except TimeoutError:
        return False


def health(port: int) -> int:
    return ask(f"http://localhost:{port}/_hotshoe/health").status


def is_alive(port: int) -> bool:
    with suppress(OSError):
        return ask(f"http://localhost:{port}/_hotshoe/health/alive").status == 200
    return False


def test_one_process_less(farm: Farm, new_tab: Callable[[], Tab]) -> None:
    """The last test, as it kills one: pages come from the other, for those too who had theirs from it."""
    victim, survivor = farm.processes
    tabs = {proxy: new_tab() for proxy in farm.proxies.values()}
    for proxy, tab in tabs.items():
        tab.open(f"{proxy.https}/apps/dial")
        tab.page.goto("about:blank")  # an open page tells the console that its socket has broken
    victim.kill()
    for proxy in tabs:
        statuses = [ask(f"{proxy.https}/apps/dial", proxy.trusting).status for _ in range(VISITORS)]
        assert statuses == [200] * VISITORS
    for proxy, tab in tabs.items():
        tab.open(f"{proxy.https}/apps/dial")
        tab.do("model('Slider').value = 5")
        tab.wait_for_text(f"at 5 in {survivor.process.pid}")
