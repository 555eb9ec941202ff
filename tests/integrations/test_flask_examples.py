"""The examples of Flask, run as their READMEs say, in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from tests.support.browser.tab import Tab
from tests.support.examples import FOLDER, Site, commands, run
from tests.support.raw_websocket import WebSocket

pytestmark = pytest.mark.real


@pytest.mark.parametrize("command", commands("flask"))
def test_flask(command: str, tab: Tab) -> None:
    with run(command, FOLDER / "flask", until="/wave") as site:
        assert_wave(tab, site, 2)
        assert "Waves" in site.get("/")


def assert_wave(tab: Tab, site: Site, periods: int) -> None:
    """The app stands in the site's page, and works."""
    without_icon(tab)
    tab.open(site.root)
    assert tab.page.locator("h1").inner_text() == "Waves"
    tab.wait_for_text(f"{periods} periods for you, by process")
    tab.do("model('Slider').value = 5")
    tab.wait_for_text("5 periods for you, by process")
    tab.assert_painted()
    tab.page.close()


def without_icon(tab: Tab) -> None:
    """The sites have none, for which browsers ask."""
    tab.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))


def test_flask_extension(tab: Tab) -> None:
    (command,) = commands("flask-extension")
    without_icon(tab)
    with run(command, FOLDER / "flask-extension", until="/login") as site:
        page = tab.page
        page.goto(f"{site.root}/squares")
        assert page.url == f"{site.root}/login?next=%2Fsquares"
        log_in(tab, "ada", "wrong")
        tab.wait_for_text("That is not right.")
        log_in(tab, "ada", "engine")
        tab.wait_until_drawn()
        tab.wait_for_text("ada, the square of 3 is 9")
        assert page.locator(".bk-Div .bk-clearfix").evaluate("it => getComputedStyle(it).color") == "rgb(0, 128, 128)"
        tab.do("model('Slider').value = 12")
        tab.wait_for_text("ada, the square of 12 is 144")
        tab.open(f"{site.root}/squares")
        tab.wait_for_text("ada, the square of 3 is 9")
        assert page.title() == "Squares"
        page.goto(site.root)
        page.get_by_text("Log out").click()
        page.get_by_text("Log in").wait_for()
        page.goto(f"{site.root}/squares")
        assert page.url == f"{site.root}/login?next=%2Fsquares"
    tab.problems[:] = [problem for problem in tab.problems if "ERR_ABORTED" not in problem]  # left while it loaded


def log_in(tab: Tab, name: str, password: str) -> None:
    tab.page.get_by_label("Name").fill(name)
    tab.page.get_by_label("Password").fill(password)
    tab.page.get_by_role("button", name="Log in").click()


def test_flask_in_gunicorn(new_tab: Callable[[], Tab]) -> None:
    (command,) = commands("flask-gunicorn")
    with run(command, FOLDER / "flask-gunicorn", until="/wave") as site:
        for _ in range(3):
            assert_wave(new_tab(), site, 3)
        processes = {process_of_a_session(site, periods) for periods in range(4, 16)}
        assert len(processes) > 1, "one process has run all sessions"


def process_of_a_session(site: Site, periods: int) -> str:
    """The process that a page's websocket reaches; it asks for the app with what the page's address said."""
    token = re.search(r'"token":"([^"]+)"', site.get(f"/wave?periods={periods % 10 + 1}"))
    assert token is not None
    with WebSocket(site.port, "/wave/ws", protocols=["bokeh", token[1]], host="127.0.0.1", origin=site.root) as socket:
        socket.until("ACK")
        text = re.search(r"(\d+) periods for you, by process (\d+)", json.dumps(socket.pull()))
    assert text is not None
    assert text[1] == str(periods % 10 + 1)
    return text[2]
