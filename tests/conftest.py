"""What all tests share: their markers and order, their browser, and no trace in the home of whoever runs them."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support import tiers

from hotshoe.base import logs

pytest_plugins = ["tests.support.browser.chromium"]

_HOME = tempfile.mkdtemp(prefix="hotshoe-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
# Also for the processes that tests start.
os.environ |= {"XDG_STATE_HOME": f"{_HOME}/state", "XDG_CACHE_HOME": f"{_HOME}/cache"}

if os.environ.get("HOTSHOE_TEST_HOST") == "loopback":  # here, and in the processes that tests start
    sys.path.insert(0, str(Path(__file__).parent / "support" / "behind_bytes"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (sys.path[0], os.environ.get("PYTHONPATH"))))
    sys.modules.pop("sitecustomize", None)
    importlib.import_module("sitecustomize")

# How fast examples are made says how busy the machine is.
settings.register_profile("hotshoe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hotshoe")


def pytest_configure() -> None:
    tiers.check_places()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    tiers.mark(items)  # before pytest looks at the markers that are asked for
    yield
    items.sort(key=tiers.order)


def pytest_collection_finish() -> None:
    # Tests write an app twice in a second, with as many bytes: Python would take the first one's bytecode for the
    # second's. Before this, workers start and keep the bytecode of the tests themselves for the next run.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has printed travels from its worker as UTF-8: half a surrogate pair would end the worker."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def _no_line_was_logged_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has logged must not count as too much for the next."""
    monkeypatch.setattr(logs, "_paces", OrderedDict())
