"""JupyterLab takes seconds to start, so that all tests share few of them; Chromium is one for each module."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.browser.conftest import FLAGS
from tests.browser.proxy import nginx
from tests.needs import need_module, need_program
from tests.notebook.lab import Lab, NotebookTab, jupyter_lab

REMOTE = "hub.test"
"""A name of this machine that does not sound like it."""

_FLAGS = [flag for flag in FLAGS if not flag.startswith("--host-resolver-rules")]
_RULES = f"--host-resolver-rules=MAP {REMOTE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """At the root, with a token."""
    need_module("jupyterlab")
    with jupyter_lab(tmp_path_factory.mktemp("lab"), token="open-sesame") as running:
        yield running


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, str]]:
    """Where JupyterHub puts one, and the address that nginx before it has for browsers."""
    need_module("jupyterlab")
    folder = tmp_path_factory.mktemp("hub")
    with jupyter_lab(folder, base="/user/alice/") as running, nginx(running.url, "/user/alice") as address:
        yield running, address


@pytest.fixture(scope="session")
def bare_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Without jupyter-server-proxy."""
    need_module("jupyterlab")
    with jupyter_lab(tmp_path_factory.mktemp("bare"), with_proxy=False) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = need_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS, _RULES])
        yield browser
        browser.close()


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[Callable[[], NotebookTab]]:
    """Makes tabs; at the end none of them may have failed in a script or left the machine."""
    context = chromium.new_context(viewport={"width": 1100, "height": 1000})
    tabs: list[NotebookTab] = []

    def make() -> NotebookTab:
        tabs.append(NotebookTab(context))
        return tabs[-1]

    yield make
    for tab in tabs:
        print(tab.story())  # pytest shows it if the test has failed
        tab.end_kernel()
    problems = [problem for tab in tabs for problem in tab.problems]
    strangers = {host for tab in tabs for host in tab.hosts if host.partition(":")[0] not in ("127.0.0.1", REMOTE)}
    context.close()
    assert not problems, problems
    assert not strangers, strangers


@pytest.fixture
def tab(new_tab: Callable[[], NotebookTab]) -> NotebookTab:
    return new_tab()
