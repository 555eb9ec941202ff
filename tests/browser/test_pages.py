"""Pages where users meet them: twice, reloaded, below prefixes, behind nginx, embedded, at the end of the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bokeh.embed import server_document
from tests.support.browser.tab import Tab
from tests.support.nginx import nginx
from tests.support.running_server import Server
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

ECHO = """
'''Echo

Says what its slider is, and counts.
'''
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.plotting import figure

args = curdoc().session_context.request.arguments
slider = Slider(start=0, end=100, value=int(args.get("start", [b"10"])[0]), title="s")
echo = Div(text=f"value {slider.value}")
source = ColumnDataSource({"t": [], "u": []})
plot = figure(width=400, height=200)
plot.line("t", "u", source=source)


def change(attr, old, new):
    echo.text = f"value {new}"


count = 0


def tick():
    global count
    count += 1
    source.stream({"t": [count], "u": [count % 7]}, rollover=30)


slider.on_change("value", change)
curdoc().add_periodic_callback(tick, 30)
for root in (slider, echo, plot):
    curdoc().add_root(root)
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("apps") / "echo.py"
    path.write_text(ECHO)
    return path


@pytest.fixture(scope="module")
def server(app: Path) -> Iterator[Server]:
    with serve(app) as server:
        yield server


def assert_lives(tab: Tab, value: int = 42) -> None:
    """The page is drawn, and its socket carries both ways."""
    tab.wait_until_drawn()
    tab.do(f"model('Slider').value = {value}")
    tab.wait_for_text(f"value {value}")


def test_a_stream_grows_to_its_rollover_and_no_further(server: Server, tab: Tab) -> None:
    tab.open(server.urls["echo"])
    tab.wait("column('t').length === 30")
    tab.wait("column('t')[0] > 20")
    assert tab.ask("column('t').length") == 30
    times = tab.ask("[...column('t')]")
    assert times == list(range(times[0], times[0] + 30))
    tab.assert_painted()


def test_arguments_reach_the_app(server: Server, tab: Tab) -> None:
    tab.open(server.urls["echo"] + "?start=77")
    tab.wait_for_text("value 77")


def test_a_second_tab_is_a_session_of_its_own(server: Server, new_tab: Callable[[], Tab]) -> None:
    first, second = new_tab(), new_tab()
    first.open(server.urls["echo"])
    second.open(server.urls["echo"])
    assert_lives(first, 33)
    second.wait_for_text("value 10")
    assert second.ask("model('Slider').value") == 10
    assert_lives(second, 44)
    assert first.ask("model('Slider').value") == 33


def test_a_reloaded_page_lives(server: Server, tab: Tab) -> None:
    tab.open(server.urls["echo"])
    assert_lives(tab)
    tab.page.reload()
    tab.wait_until_drawn()
    assert tab.ask("model('Slider').value") == 10
    assert_lives(tab)


def test_going_back_to_a_page_brings_it_to_life(server: Server, tab: Tab) -> None:
    tab.open(server.urls["echo"])
    tab.page.goto("about:blank")
    tab.page.go_back()
    assert_lives(tab)


def test_a_trailing_slash_is_no_other_page(server: Server, tab: Tab) -> None:
    tab.open(server.urls["echo"] + "/")
    assert_lives(tab)


def test_the_only_app_is_at_the_root(server: Server, tab: Tab) -> None:
    tab.open(server.root)
    assert_lives(tab)


def test_below_a_prefix(app: Path, tab: Tab) -> None:
    with serve(app, flags=("--prefix", "/a/b/")) as server:
        assert server.urls["echo"].endswith("/a/b/echo")
        tab.open(server.urls["echo"])
        assert_lives(tab)
        tab.open(server.urls["echo"] + "/")
        assert_lives(tab)
        tab.page.close()


@pytest.mark.parametrize("host_header", ["Host", "X-Forwarded-Host"])
def test_behind_nginx_that_cuts_a_path_off(server: Server, tab: Tab, host_header: str) -> None:
    with nginx(server.root, "/x/y", host_header=host_header) as root:
        tab.open(root + "echo")
        assert_lives(tab)
        tab.open(root + "echo/")
        assert_lives(tab)
        tab.page.close()


def test_the_index_behind_nginx(app: Path, tab: Tab) -> None:
    with serve(app, flags=("--disable-index-redirect",)) as server, nginx(server.root, "/x") as root:
        tab.page.goto(root)
        tab.wait_for_text("Says what its slider is, and counts.")
        tab.page.locator("a[href$='echo']").click()
        tab.page.wait_for_url(root + "echo")
        assert_lives(tab)
        tab.page.close()


class Foreign(ThreadingHTTPServer):
    """A web site on a port of its own, with one page."""

    daemon_threads = True
    page = ""


class ForeignPage(BaseHTTPRequestHandler):
    server: Foreign

    def do_GET(self) -> None:
        body = self.server.page.encode() if self.path == "/" else b""
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def foreign_site() -> Iterator[Foreign]:
    with Foreign(("127.0.0.1", 0), ForeignPage) as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


def test_embedded_in_a_foreign_page(app: Path, tab: Tab) -> None:
    with foreign_site() as site:
        origin = f"127.0.0.1:{site.server_port}"
        with serve(app, flags=("--allow-websocket-origin", origin)) as server:
            first = server_document(server.urls["echo"], arguments={"start": "55"})
            second = server_document(server.urls["echo"])
            site.page = f"<!doctype html><title>mine</title><body><h1>A foreign page</h1>{first}<hr>{second}"
            tab.page.goto(f"http://{origin}/")
            tab.wait("documents().length === 2")
            tab.wait_for_text("value 55")
            tab.wait_for_text("value 10")
            tab.do("models('Slider').find((slider) => slider.value === 55).value = 56")
            tab.wait_for_text("value 56")
            tab.wait_for_text("value 10")
            assert tab.page.title() == "mine"
            tab.page.close()


def test_a_foreign_page_that_is_not_named_gets_no_socket(app: Path, tab: Tab) -> None:
    with foreign_site() as site, serve(app) as server:
        server.errors_expected = True
        site.page = f"<!doctype html><body>{server_document(server.urls['echo'])}"
        tab.page.goto(f"http://127.0.0.1:{site.server_port}/")
        tab.wait_for_text(f"--allow-websocket-origin=127.0.0.1:{site.server_port}")
        assert tab.ask("documents().length") == 0
        assert any("403" in problem for problem in tab.problems)
        tab.page.close()
        tab.problems.clear()


def test_the_servers_end_closes_the_sockets(app: Path, tab: Tab) -> None:
    tab.page.add_init_script(
        """window.closes = [];
        window.WebSocket = class extends WebSocket {
          constructor(...args) {
            super(...args);
            // What the page was about to send as the server stopped stays unsent: that too makes a close unclean.
            this.addEventListener("close", (event) => {
              window.closes.push([event.code, event.wasClean || this.bufferedAmount > 0]);
            });
          }
        };"""
    )
    with serve(app) as server:
        tab.open(server.urls["echo"])
        assert_lives(tab)
        server.stop()
        tab.wait("window.closes.length > 0")
        assert tab.ask("window.closes[0]") == [1001, True]
        tab.page.close()
    tab.problems.clear()
