"""Modules of one name in the folders of several apps."""

from __future__ import annotations

import json

import pytest
from tests.support.app_files import Write

from hotshoe.apps.clashes import warn_of_clashes
from hotshoe.apps.loading import load_all

NOTEBOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {},
                       "cells": [{"cell_type": "code", "source": "import tools"}]})


def test_apps_that_mean_different_modules_by_one_name(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    folder = write({
        "a/main.py": "import tools.part, os, json", "a/tools/__init__.py": "", "a/json.txt": "",
        "b/main.py": "def f():\n    from tools import x", "b/tools.py": "x = 1",
        "c/c.ipynb": NOTEBOOK, "c/tools.py": "",
        "d/main.py": "from . import tools", "d/tools.py": "", "d/__init__.py": "",
        "e/one.py": "import shared", "e/two.py": "import shared", "e/shared.py": "",
    })
    apps = load_all([folder / "a", folder / "b", folder / "c" / "c.ipynb", folder / "d", folder / "e" / "one.py",
                     folder / "e" / "two.py"])
    warn_of_clashes(apps)
    [warning] = [record.message for record in caplog.records]
    assert warning.startswith("The apps /a and /b and /c have different modules called tools")
