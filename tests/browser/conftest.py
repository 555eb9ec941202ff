"""Chromium, one process for each test module, and a tab in a fresh context for each test.

The fixtures are no wider than a module because Playwright's synchronous API leaves an event loop running, in which the
asynchronous tests of other modules could not start theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.browser.tab import Tab
from tests.needs import need_program

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = need_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[Callable[[], Tab]]:
    """Makes tabs of one browser context; at the end none of them may have had a problem or left the machine."""
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    tabs: list[Tab] = []

    def make() -> Tab:
        tabs.append(Tab(context))
        return tabs[-1]

    yield make
    problems = [problem for tab in tabs for problem in tab.problems + tab.strangers]
    context.close()
    assert not problems, problems


@pytest.fixture
def tab(new_tab: Callable[[], Tab]) -> Tab:
    return new_tab()
