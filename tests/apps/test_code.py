from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from hotshoe.apps.code import compile_python, read, run_once
from hotshoe.apps.script import load_script
from hotshoe.errors import AppError

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Write


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="can't be read: Is a directory"):
        read(tmp_path)
    with pytest.raises(AppError, match="can't be read: No such file"):
        read(tmp_path / "gone.py")


def test_compiled_code_inherits_no_flags() -> None:
    code, docstring = compile_python("'''Text.'''\ndef f(x: int): pass", "a.py")
    names: dict[str, object] = {}
    exec(code, names)
    assert docstring == "Text."
    assert names["f"].__annotations__ == {"x": int}  # not a string, as this file's own would be


def test_run_once_leaves_nothing_if_it_fails(write: Write) -> None:
    before = set(sys.modules)
    program, _ = load_script(write({"a.py": "x = 1\nraise ValueError('no')"}) / "a.py")
    with pytest.raises(AppError, match=r"a\.py:2: ValueError: no"):
        run_once(program)
    assert {name for name in set(sys.modules) - before if name.startswith("bokeh_app_")} == set()


def test_run_once_does_not_hide_an_interrupt(write: Write) -> None:
    program, _ = load_script(write({"a.py": "raise KeyboardInterrupt"}) / "a.py")
    with pytest.raises(KeyboardInterrupt):
        run_once(program)


def test_run_once_keeps_the_module(write: Write) -> None:
    program, _ = load_script(write({"a.py": "x = 1"}) / "a.py")
    module = run_once(program)
    assert vars(module)["x"] == 1
    assert sys.modules[module.__name__] is module
