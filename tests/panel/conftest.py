"""The browser of tests/browser, and one server of all the apps beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.needs import need_module
from tests.support.running_server import Server
from tests.support.server_process import serve

APPS = sorted((Path(__file__).parent / "apps").glob("*.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    need_module("panel")
    with serve(*APPS) as server:
        yield server
