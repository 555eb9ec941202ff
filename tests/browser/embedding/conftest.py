"""A site, a server that lets its pages in, and both by https."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.browser.embeds import BROKEN, FILLING, SLIDERS, TWO_ROOTS, running
from tests.support.browser.page_site import Site, site
from tests.support.browser.tab import Tab, tabs
from tests.support.certificates import Authority

from hotshoe.server.server import Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in {"sliders": SLIDERS, "filling": FILLING, "roots": TWO_ROOTS, "broken": BROKEN}.items():
        (tmp_path / f"{name}.py").write_text(source)
    return tmp_path


@pytest.fixture
def page_site() -> Iterator[Site]:
    with site() as served:
        yield served


@pytest.fixture
def server(folder: Path, page_site: Site) -> Iterator[Server]:
    with running(folder, page_site.origin) as served:
        yield served


@pytest.fixture
def secure_tab(chromium: Browser) -> Iterator[Tab]:
    with tabs(chromium, ignore_https_errors=True) as make:
        yield make()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return Authority().both(tmp_path)
