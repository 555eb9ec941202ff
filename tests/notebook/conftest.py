"""JupyterLab takes seconds to start, so that all tests share few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser
from tests.support.jupyter import REMOTE, Lab, NotebookTab, jupyter_lab
from tests.support.needs import need_module
from tests.support.nginx import nginx


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
