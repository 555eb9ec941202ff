"""An app object under the servers of others, started as the examples say: alone, or mounted in FastAPI."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from bokeh.client import pull_session
from bokeh.models.widgets import Div, Slider
from tests.support.browser.tab import Tab
from tests.support.examples import FOLDER, Site, commands, example, run
from tests.support.needs import need_module
from tests.support.raw_websocket import WebSocket

pytestmark = pytest.mark.real

SERVERS = {"gunicorn": 4, "uvicorn-workers": 2, "hypercorn": 1, "granian": 2}
"""The examples of servers, and in how many processes they serve."""
MOUNTED = ("uvicorn-workers", "hypercorn")
"""Where the app is mounted in a site of FastAPI; in the others it is alone, as in the examples."""
SEVERAL = ("gunicorn", "uvicorn-workers")
TABS = 5


@dataclass(frozen=True)
class Server:
    name: str
    site: Site
    base: str
    """The path of the app's mount."""
    hooks_file: Path

    @property
    def processes(self) -> int:
        return SERVERS[self.name]

    def hooks(self, what: str) -> list[tuple[str, str]]:
        """Process and session of each hook of this kind that has run."""
        lines = self.hooks_file.read_text().splitlines() if self.hooks_file.exists() else []
        notes = [line.split(" ") for line in lines]
        return [(process, session) for kind, process, session in notes if kind == what]

    def page(self, query: str = "") -> tuple[str, str]:
        """A page, and its token."""
        page = self.site.get(f"{self.base}/steps{query}")
        token = re.search(r'"token":"([^"]+)"', page)
        assert token is not None, page
        return page, token[1]

    def socket(self, token: str, path: str = "/steps", origin: str | None = None) -> WebSocket:
        return WebSocket(self.site.port, f"{self.base}{path}/ws", protocols=["bokeh", token], host="127.0.0.1",
                         origin=origin or self.site.root)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name = request.param
    need_module({"uvicorn-workers": "uvicorn"}.get(name, name))
    (command,) = commands(name)
    module, base = ("served:site", "/apps") if name in MOUNTED else ("served:app", "")
    folder = tmp_path_factory.mktemp(name)
    hooks = folder / "hooks"
    with run(command.replace("app:app", module), Path(__file__).parent / "apps", until=f"{base}/steps",
             environment={"HOOKS": str(hooks), "XDG_STATE_HOME": str(folder / "state")}) as site:
        server = Server(name, site, base, hooks)
        deadline = time.monotonic() + 90
        while len({process for process, _ in server.hooks("loaded")}) < server.processes:
            assert time.monotonic() < deadline, "not all processes have started"
            time.sleep(0.05)
        yield server


def test_pages_and_files(server: Server) -> None:
    page, _ = server.page()
    assert "bokeh" in page
    address = f"{server.site.root}{server.base}/static/js/bokeh.min.js"
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
        body = answer.read()
        assert int(answer.headers["Content-Length"]) == len(body) > 500_000
    asked = urllib.request.Request(address, headers={"Range": "bytes=10-19"})
    with urllib.request.urlopen(asked) as answer:
        assert (answer.status, answer.read()) == (206, body[10:20])
    with urllib.request.urlopen(urllib.request.Request(address, method="HEAD")) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def test_the_page_of_one_process_and_the_socket_of_another(server: Server) -> None:
    """Every page is followed by its websocket, which whoever is free takes. Eight visitors at a time keep all busy."""
    deadline = time.monotonic() + 40
    with ThreadPoolExecutor(8) as visitors:
        while True:
            list(visitors.map(partial(visit, server), range(16)))
            made = server.hooks("created")
            if server.processes == 1 or len(made) > len({session for _, session in made}):
                return
            assert time.monotonic() < deadline, "no socket has left the process of its page"


def visit(server: Server, number: int) -> None:
    """Opens the page, moves the slider, and sees what comes of it."""
    _, token = server.page(f"?asked=n{number}")
    with server.socket(token) as socket:
        assert socket.status == 101
        socket.until("ACK")
        slider = re.search(r'"name": "Slider", "id": "(\w+)"', json.dumps(socket.pull()))
        assert slider is not None
        answers = json.dumps([content for _, _, content, _ in socket.set(slider[1], "value", 7)])
    assert f"square 49, asked for n{number}," in answers


def test_a_client_of_bokeh(server: Server) -> None:
    with ThreadPoolExecutor(1) as thread:  # its loop does not run beside that of Playwright
        thread.submit(converse, server).result()


def converse(server: Server) -> None:
    """Does with bokeh's client what a script does."""
    session = pull_session(url=f"http://127.0.0.1:{server.site.port}{server.base}/steps")
    try:
        slider = session.document.get_model_by_name("number")
        assert isinstance(slider, Slider)
        slider.value = 9
        session.force_roundtrip()
        session.pull()
        text = session.document.select_one({"type": Div})
        assert isinstance(text, Div)
        assert text.text.startswith("square 81,")
    finally:
        session.close()


def test_refusals_say_why(server: Server) -> None:
    _, token = server.page()
    with server.socket(token, origin="http://evil.example") as socket:
        assert (socket.status, socket.body) == (403, b"Cross origin websockets not allowed")
    with server.socket(token, path="/nothing") as socket:
        assert (socket.status, socket.body) == (404, b"There is no app at this address")
    with server.socket("nonsense") as socket:
        closed = socket.closed()
        assert (closed.code, closed.reason) == (1008, "token can't be decoded")


def test_a_slider_in_many_tabs(server: Server, new_tab: Callable[[], Tab]) -> None:
    for number in range(TABS if server.name in SEVERAL else 1):
        tab = new_tab()
        tab.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))  # of the site there is none
        tab.open(f"{server.site.root}{server.base}/steps?asked=tab{number}")
        tab.do("model('Slider').value = 12")
        tab.wait_for_text(f"square 144, asked for tab{number},")
        tab.page.close()


def test_it_stops_with_all_hooks(server: Server) -> None:
    """The last test: the processes stop, while one still has a websocket."""
    _, token = server.page()
    with server.socket(token) as socket:
        socket.until("ACK")
        server.site.stop()
        assert socket.closed().code in (None, 1001, 1006, 1011, 1012)  # the servers' own choice
    assert sorted(server.hooks("destroyed")) == sorted(server.hooks("created"))
    assert sorted(server.hooks("unloaded")) == sorted(server.hooks("loaded"))
    assert len(server.hooks("loaded")) == server.processes


@pytest.mark.parametrize("name", SERVERS)
def test_the_example(name: str, tab: Tab) -> None:
    assert (FOLDER / name / "app.py").exists()
    with example(name, until="/wave") as site:
        tab.open(f"{site.root}/wave?periods=3")
        tab.wait_for_text("3 periods for you")
        tab.do("model('Slider').value = 5")
        tab.wait_for_text("5 periods for you")
        tab.page.close()
