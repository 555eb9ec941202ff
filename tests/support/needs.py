"""What a test needs beyond the test packages: where it is missing, a laptop skips and CI (`CI=true`) fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def need_program(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin"):
            return path
    return _missing(f"the program {' or '.join(names)}")


def need_module(name: str) -> None:
    """Needs an importable top-level module."""
    if importlib.util.find_spec(name) is None:
        _missing(f"the Python module {name}")


def _missing(what: str) -> NoReturn:
    reason = f"needs {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
