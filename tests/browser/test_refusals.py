"""A page whose websocket is refused or closed for a reason says so, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.support.browser.tab import Tab
from tests.support.nginx import nginx
from tests.support.running_server import Server
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

APP = """
from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div(text="here"))
"""
CARD = ".hotshoe-closed .card"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    path = tmp_path / "app.py"
    path.write_text(APP)
    with serve(path) as server:
        server.errors_expected = True
        yield server


@pytest.fixture(autouse=True)
def refusals_are_problems(tab: Tab) -> Iterator[None]:
    yield
    tab.page.close()
    tab.problems.clear()


def test_a_proxy_that_knows_no_websockets(server: Server, tab: Tab) -> None:
    with nginx(server.root, "", says="location ~ /ws$ { return 502; }") as root:
        tab.page.goto(f"{root}app")
        card = tab.page.locator(CARD)
        expect(card).to_contain_text("The connection to its server could not be opened", timeout=20_000)
        expect(card).to_contain_text("hotshoe doctor")


def test_a_proxy_that_hides_the_name_by_https(server: Server, tab: Tab) -> None:
    """The request for the reason says that it is of the same origin, which the socket's handshake had not said."""
    says = f"""
      location ~ /ws$ {{
        proxy_pass http://127.0.0.1:{server.port}; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        proxy_set_header Sec-Fetch-Site "";
      }}"""
    with nginx(server.root, "", host_header="X-Elsewhere", says=says) as root:
        tab.page.goto(f"{root}app")
        card = tab.page.locator(CARD)
        expect(card).to_contain_text("--allow-websocket-origin=", timeout=20_000)


def test_a_proxy_that_hides_the_name(server: Server, tab: Tab) -> None:
    # As of a browser that does not send Sec-Fetch-Site: plain http to another machine.
    with nginx(server.root, "", host_header="X-Elsewhere", says='proxy_set_header Sec-Fetch-Site "";') as root:
        tab.page.goto(f"{root}app")
        card = tab.page.locator(CARD)
        name = root.removeprefix("http://").rstrip("/")
        expect(card).to_contain_text("This page is not connected", timeout=20_000)
        expect(card).to_contain_text(f"--allow-websocket-origin={name}")
        assert f"--allow-websocket-origin='{name}'" in server.log


