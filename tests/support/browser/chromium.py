"""One Chromium for a whole run (for each worker of one), and for each test tabs in a context of their own.

Playwright's synchronous API leaves an event loop running in its thread, and asynchronous tests could not start theirs
there. So tests/conftest.py runs all modules with browsers after all others.

The headless shell is the same engine without windows, and takes a third less of the processor than Chromium.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.support.browser.tab import Tab, tabs
from tests.support.jupyter import REMOTE
from tests.support.needs import need_program

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {REMOTE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]

START_TIMEOUT_MS = 90_000


def program() -> str:
    """The browser's program; without one, the test is skipped, or fails in CI."""
    return need_program("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=START_TIMEOUT_MS)
        yield browser
        browser.close()


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[Callable[[], Tab]]:
    with tabs(chromium) as make:
        yield make


@pytest.fixture
def tab(new_tab: Callable[[], Tab]) -> Tab:
    return new_tab()
