"""Apps beside other frameworks: the examples, run as their READMEs say, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from urllib.error import HTTPError

import pytest
from playwright.sync_api import FrameLocator, Page
from tests.support.browser.tab import Tab
from tests.support.examples import Site, example
from tests.support.needs import need_module

pytestmark = pytest.mark.real


@pytest.fixture
def tab(new_tab: Callable[[], Tab]) -> Tab:
    """A tab that asks neither the sites for an icon, which they need not have, nor Streamlit's makers for anything."""
    tab = new_tab()
    tab.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    statistics = {"url": "https://data.streamlit.io/"}
    tab.page.route("https://data.streamlit.io/**", lambda route: route.fulfill(json=statistics))
    return tab


def move(tab: Tab, path: str, site: Site, user: str = "you") -> None:
    """Opens the wave, moves its slider, and sees the answer."""
    tab.open(f"{site.root}{path}?periods=3")
    tab.wait_for_text(f"3 periods for {user}")
    tab.assert_painted()
    tab.do("model('Slider').value = 5")
    tab.wait_for_text(f"5 periods for {user}")


def frame_of(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[src*='/wave']")


def press_slider(page: Page) -> None:
    """Moves the slider of the wave in a frame by a key."""
    frame = frame_of(page)
    frame.get_by_text("2 periods for you").wait_for()
    frame.locator(".noUi-handle").press("ArrowRight")
    frame.get_by_text("3 periods for you").wait_for()


def test_fastapi(tab: Tab) -> None:
    need_module("fastapi")
    with example("fastapi", until="/hello") as site:
        assert site.get("/hello") == '{"the wave":"/apps/wave"}'
        move(tab, "/apps/wave", site)
        tab.page.close()


def test_the_user_and_session_of_starlette(tab: Tab) -> None:
    need_module("itsdangerous")
    with example("starlette", until="/apps/greeting") as site:
        tab.open(f"{site.root}/apps/greeting")
        tab.wait_for_text("Hello, stranger!")
        tab.open(f"{site.root}/login/Ada")
        tab.wait_for_text("Bonjour, Ada!")
        tab.page.get_by_role("button", name="Louder").click()
        tab.wait_for_text("BONJOUR, ADA!")
        tab.page.close()


def test_quart(tab: Tab) -> None:
    need_module("quart")
    with example("quart") as site:
        tab.page.goto(site.root)
        tab.wait_for_text("Quart")
        press_slider(tab.page)
        move(tab, "/wave", site)
        with pytest.raises(HTTPError, match="404"):
            site.get("/nothing")
        tab.page.close()


def test_streamlit(tab: Tab) -> None:
    need_module("streamlit")
    environment = {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
    with example("streamlit", environment=environment) as site:
        tab.page.goto(site.root)
        tab.wait_for_text("Streamlit says 16.")
        press_slider(tab.page)
        tab.page.get_by_role("slider").first.press("ArrowRight")
        tab.wait_for_text("Streamlit says 25.")
        frame_of(tab.page).get_by_text("3 periods for you").wait_for()  # it has not been loaded again
        move(tab, "/apps/wave", site)
        tab.page.close()


def test_panel(tab: Tab) -> None:
    need_module("panel")
    with example("panel") as site:
        tab.page.goto(site.root)
        tab.page.get_by_role("link", name="rooms").first.wait_for()
        tab.open(f"{site.root}/rooms")
        tab.wait_for_text("12 m²")
        tab.page.locator(".noUi-handle").first.press("ArrowRight")
        tab.wait_for_text("16 m²")
        move(tab, "/wave", site)
        tab.page.close()


def test_tornado(tab: Tab) -> None:
    with example("tornado") as site:
        assert "Hello, stranger" in site.get("/")
        move(tab, "/apps/wave", site)
        tab.open(f"{site.root}/login/ada")
        tab.wait_for_text("2 periods for ada")
        tab.do("model('Slider').value = 5")
        tab.wait_for_text("5 periods for ada")
        tab.page.close()
