"""A site, a server that lets its pages in, and both by https."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Browser
from tests.browser.embedding.embeds import BROKEN, FILLING, SLIDERS, TWO_ROOTS, running
from tests.browser.sites import Site, site
from tests.browser.tab import Tab

from hotshoe.web.server import Server


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
    context = chromium.new_context(ignore_https_errors=True)
    tab = Tab(context)
    yield tab
    problems = tab.problems + tab.strangers
    context.close()
    assert not problems


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    path = tmp_path / "certificate.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(path)
    return path
