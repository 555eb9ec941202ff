"""Panel's pages: templates, components with JavaScript of their own, style sheets that this server has."""

from __future__ import annotations

import re

import pytest
from tests.support.browser.tab import Tab
from tests.support.running_server import Server

pytestmark = pytest.mark.real


def forgive_fonts(tab: Tab) -> None:
    """Panel itself has no copy of these."""
    fonts = re.compile(r"https://(fonts\.googleapis\.com|cdn\.jsdelivr\.net/npm/material-components-web)")
    tab.strangers = [url for url in tab.strangers if not fonts.match(url)]


@pytest.mark.parametrize("template", ["FastListTemplate", "MaterialTemplate", "BootstrapTemplate"])
def test_a_template_is_drawn_and_reacts(server: Server, tab: Tab, template: str) -> None:
    tab.open(server.urls[template.removesuffix("Template").lower()])
    tab.wait_for_text("twice is 4")
    assert tab.page.title() == template
    sidebar = tab.page.locator("#sidebar").bounding_box()
    assert sidebar is not None
    assert 150 < sidebar["width"] < 500
    handle = tab.page.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    tab.wait_for_text("twice is 6")
    forgive_fonts(tab)


def test_components_with_scripts_of_their_own(server: Server, tab: Tab) -> None:
    tab.open(server.urls["components"])
    tab.wait_for_text("a heading")
    tab.wait_for_text("third")
    tab.page.get_by_role("button", name="esm 0").click()
    tab.page.get_by_role("button", name="esm 1").click()
    tab.page.get_by_role("button", name="esm 2").wait_for()
    assert tab.ask("model('Figure').title.text") == "a title"


def test_a_callback_on_panels_own_threads_changes_all_kinds_of_models(server: Server, tab: Tab) -> None:
    tab.open(server.urls["components"])
    tab.page.get_by_role("button", name="press").click()
    tab.wait_for_text("pressed on: ThreadPoolExecutor")
    tab.wait_for_text("another heading")
    tab.wait_for_text("fourth")
    tab.wait("model('Figure').title.text == 'another title'")


def test_style_sheets_come_from_this_server(server: Server, tab: Tab) -> None:
    tab.open(server.urls["components"])
    sheets = tab.ask("models('ImportedStyleSheet').map((sheet) => sheet.url)")
    assert sheets
    assert all(url.startswith("static/extensions/panel/") for url in sheets)
    assert not tab.strangers
