"""Tests that other tests name: ``web/test_front.py::test_favicon`` is a function in that file below ``tests/``."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def check_place(place: str) -> None:
    """Fail unless the test exists, and is a test."""
    file, _, name = place.partition("::")
    path = TESTS / file
    assert path.name.startswith("test_"), place
    assert path.is_file(), f"there is no {file}"
    found = {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body
             if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name.startswith("test_"), place
    assert name in found, f"there is no {place}"
