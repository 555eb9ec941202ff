"""The browser of tests/browser, and one server of all the apps beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser.conftest import chromium as chromium
from tests.browser.conftest import new_tab as new_tab
from tests.browser.conftest import tab as tab
from tests.browser.server import Server, serve
from tests.needs import need_module

APPS = sorted((Path(__file__).parent / "apps").glob("*.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    need_module("panel")
    with serve(*APPS) as server:
        yield server
