"""Files of Panel's components: style sheets, scripts and bundles beside a script or in a package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.support.browser.tab import Tab
from tests.support.needs import need_module
from tests.support.running_server import Server

pytestmark = pytest.mark.real


def color(tab: Tab, selector: str) -> str:
    found = tab.page.locator(selector).first
    found.wait_for(state="attached")
    text: str = found.evaluate("(element) => getComputedStyle(element).color")
    return text


@pytest.mark.parametrize("slash", ["", "/"])
def test_each_kind_of_file_is_applied(server: Server, tab: Tab, slash: str) -> None:
    tab.open(server.urls["styled"] + slash)
    tab.wait_here(lambda: color(tab, ".one") == "rgb(1, 2, 3)")
    tab.wait_here(lambda: color(tab, ".two") == "rgb(2, 3, 4)")
    tab.wait_here(lambda: color(tab, ".three") == "rgb(3, 4, 5)")
    tab.wait_for_text("bundled")
    tab.wait("window.made_by_component === 1")
    tab.wait("getComputedStyle(document.documentElement).getPropertyValue('--of-the-page').trim() === '6'")
    # Panel also asks for it beside the page, with ``panel serve`` too.
    tab.problems = [problem for problem in tab.problems if "/css/page.css" not in problem]


def test_nothing_else_of_the_folder_is_served(server: Server) -> None:
    base = server.urls["styled"].rpartition("/")[0] + "/components"
    with httpx.Client() as client:
        client.get(server.urls["styled"])

        def status(path: str) -> int:
            return client.get(f"{base}/{path}").status_code

        assert status("styled_parts/Widget/_stylesheets/css/two.css") == 200
        assert status("styled_parts/Widget/_stylesheets/secret.txt") == 403
        assert status("styled_parts/Widget/_stylesheets/css/../__init__.py") == 403
        assert status("styled_parts/Widget/_stylesheets/%2e%2e/styled.py") == 403
        assert status("styled_parts/Widget/_esm/secret.txt") == 403
        assert status("styled_parts/Plain/css/secret.txt") == 404
        assert status("styled_parts/HERE/css/secret.txt") == 404
        assert status("styled_parts/None/css/secret.txt") == 404
        assert status("this/s/css/x.css") == 404
        assert status("antigravity/s/css/x.css") == 404
        assert status("styled_parts/Widget/_stylesheets") == 404
        assert client.post(f"{base}/styled_parts/Widget/_stylesheets/css/two.css").status_code == 405


WITHOUT_PAGE = """
import asyncio, sys
from hotshoe.apps import Request
from hotshoe.config import Settings
from hotshoe.hosts.host import OpenRequest
from hotshoe.hosts.inline import InlineHost


async def main():
    host = InlineHost([sys.argv[1]], Settings())
    await host.start()
    [url] = host.apps
    await host.open(OpenRequest(url, Request(), "a"))
    document = host._registries[url].get("a").document
    urls = [model.url for model in document.models if type(model).__name__ == "ImportedStyleSheet"]
    assert len(urls) > 3 and not any("://" in url for url in urls), urls
    await host.stop()


asyncio.run(main())
"""


def test_a_session_without_a_page_has_style_sheets_of_this_server() -> None:
    need_module("panel")
    app = Path(__file__).parent / "apps" / "styled.py"
    subprocess.run([sys.executable, "-c", WITHOUT_PAGE, str(app)], check=True, timeout=120)
