"""Embedding as sites do it: the example, a login that both share, Panel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bokeh.embed
import pytest
from tests.support.browser.embeds import assert_works, at, running, wait_for_alert
from tests.support.browser.page_site import Site, site
from tests.support.browser.tab import Tab
from tests.support.needs import need_module
from tests.support.ports import free_port, is_open
from tests.support.server_process import EXAMPLES
from tests.support.server_thread import serve
from tests.support.waiting import wait_until

import hotshoe.embed

pytestmark = pytest.mark.real

PANELS = """
import panel as pn

pn.extension()
slider = pn.widgets.IntSlider(start=0, end=9, value=3)
button = pn.widgets.Button(name="more")
button.on_click(lambda event: setattr(slider, "value", slider.value + 1))
pn.Column(slider, button, pn.bind(lambda value: f"moved {value}", slider)).servable()
"""


def test_the_example(tmp_path: Path, tab: Tab) -> None:
    page = (EXAMPLES / "embedding/index.html").read_text(encoding="utf-8")
    port = free_port()
    own = f"localhost:{port}"
    names = ("penguins", "attractor")
    with serve(*(EXAMPLES / f"{name}.py" for name in names), flags=("--allow-websocket-origin", own)) as server:
        (tmp_path / "index.html").write_text(page.replace("localhost:5006", f"localhost:{server.port}"))
        command = [sys.executable, "-m", "http.server", str(port), "--directory", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: is_open(port))
            tab.page.route("**/favicon.ico", lambda route: route.fulfill(body=""))
            tab.open(f"http://{own}/")
            tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
            tab.wait_for_text("342 of 342 penguins")
            tab.assert_painted(0)
            tab.assert_painted(1)
            tab.page.get_by_role("button", name="Gentoo").click()
            tab.wait_for_text("219 of 342 penguins")
        finally:
            process.terminate()
            process.wait(10)


def test_the_page_and_the_app_of_one_login(folder: Path, tmp_path: Path, tab: Tab) -> None:
    """A site and an app server of one domain, of which the server asks who it is."""
    module = tmp_path / "auth" / "module.py"
    module.parent.mkdir()
    module.write_text("def get_user(request):\n    return request.cookies.get('who')\n\n\nlogin_url = '/enter'\n")
    with site(host="localhost") as named, running(folder, named.origin, auth_module=str(module)) as server:
        tab.page.goto(named.put(hotshoe.embed.app_tag(at(server), with_credentials=True)))
        alert = wait_for_alert(tab, "This app asks you to log in.")
        link = alert.get_by_role("link", name="Log in")
        assert (link.get_attribute("href") or "").startswith(f"http://localhost:{server.port}/enter")
        tab.context.add_cookies([{"name": "who", "value": "ann", "url": at(server)}])
        alert.get_by_role("button", name="Try again").click()
        assert_works(tab)
        tab.page.goto(named.put(hotshoe.embed.server_document(at(server))))
        alert = wait_for_alert(tab, "This app asks you to log in.")
        link = alert.get_by_role("link", name="Log in")
        assert (link.get_attribute("href") or "").startswith(f"http://localhost:{server.port}/enter")


@pytest.mark.filterwarnings("ignore:Widget.name is deprecated:PendingDeprecationWarning")  # as users still write it
def test_a_panel_app(folder: Path, page_site: Site, tab: Tab) -> None:
    need_module("panel")
    (folder / "panels.py").write_text(PANELS)
    flags = ("--allow-websocket-origin", page_site.origin[7:])
    with serve(folder / "panels.py", folder / "sliders.py", flags=flags) as server:
        makers: list[Callable[[str], str]] = [
            hotshoe.embed.app_tag, hotshoe.embed.server_document, bokeh.embed.server_document]
        for make in makers:
            tab.open(page_site.put(make(server.urls["panels"]) + make(server.urls["sliders"])))
            tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
            tab.wait_for_text("moved 3")
            tab.page.get_by_role("button", name="more").click()
            tab.wait_for_text("moved 4")
