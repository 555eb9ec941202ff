"""Tests that tables name: ``web/test_front.py::test_favicon`` is a function in that file below ``tests/``."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.support.cases import every_case

TESTS = Path(__file__).parents[1]


def check_places(places: Iterable[str]) -> None:
    """Fail with all of the tests that do not exist; a place without a function is a whole file."""
    with every_case() as case:
        for place in places:
            with case(place):
                check_place(place)


def check_place(place: str) -> None:
    """Fail unless the test exists, and is a test."""
    file, _, name = place.partition("::")
    path = TESTS / file
    assert path.name.startswith("test_"), f"{file} is no file of tests"
    assert path.is_file(), f"there is no {file}"
    if name:
        assert name.startswith("test_"), f"{name} is no test"
        assert name in _functions(path), f"there is no {place}"


@cache
def _functions(path: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.parse(path.read_text(encoding="utf-8")).body
                     if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
