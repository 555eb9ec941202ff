"""A process whose user has neither a home folder nor a name, as in OpenShift's containers."""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from hotshoe.base.home import give_home


def _no_name(uid: int) -> None:
    raise KeyError(f"getpwuid(): uid not found: {uid}")


def test_gets_the_root_folder(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    give_home()
    assert os.environ["HOME"] == "/home/somebody"
    monkeypatch.delenv("HOME")
    give_home()
    assert "HOME" not in os.environ
    monkeypatch.setattr(pwd, "getpwuid", _no_name)
    with caplog.at_level(logging.WARNING):
        give_home()
    assert Path.home() == Path("/")
    assert "has no home folder" in caplog.text
    give_home()
    assert caplog.text.count("has no home folder") == 1


def test_bokeh_can_be_imported_after_hotshoe() -> None:
    program = ("import os, pwd\ndef no_name(uid): raise KeyError(uid)\n"
               "pwd.getpwuid = no_name\nimport hotshoe, bokeh\nprint(os.environ['HOME'])")
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True,
                            timeout=60)
    assert result.stdout == "/\n", result.stderr
    assert len(result.stderr.splitlines()) == 1
