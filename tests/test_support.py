"""What tests share stands in ``tests/support``: no test module, and no conftest, is imported by anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.cases import every_case

TESTS = Path(__file__).parent


def imported_tests(code: str, module: str) -> list[str]:
    """The modules of tests, and conftests, that the code of a module like ``tests.web.test_front`` imports."""
    names = {name for node in ast.walk(ast.parse(code)) for name in _names(node, module)}
    return sorted(name for name in names
                  if any(part.startswith("test_") or part == "conftest" for part in name.split(".")[:-1]))


def _names(node: ast.AST, module: str) -> Iterator[str]:
    """What a node imports, with a last part that may be a name in a module."""
    match node:
        case ast.Import(names):
            yield from (f"{alias.name}.*" for alias in names)
        case ast.ImportFrom(module=source, names=names, level=level):
            package = module.split(".")[:-level] if level else []
            base = ".".join([*package, *([source] if source else [])])
            yield from (name for alias in names for name in (f"{base}.{alias.name}", f"{base}.{alias.name}.*"))


@pytest.mark.parametrize("code", [
    "from tests.web.test_front import site",
    "from tests.web.conftest import site",
    "from tests.web import test_front",
    "import tests.web.test_front",
    "from .conftest import site",
    "from . import conftest",
    "from ..auth.test_module import TORNADO",
    "def f():\n    from tests.auth.test_module import TORNADO",
])
def test_each_way_to_import_a_test_module_is_seen(code: str) -> None:
    assert imported_tests(code, "tests.web.test_routes")


@pytest.mark.parametrize("code", [
    "from tests.support.waiting import until",
    "from tests.support.named_tests import check_place",
    "from tests.support import waiting",
    "from starlette.testclient import TestClient",
    "def test_it():\n    pass",
])
def test_nothing_else_is(code: str) -> None:
    assert not imported_tests(code, "tests.web.test_routes")


def test_no_test_module_imports_another() -> None:
    with every_case() as case:
        for path in TESTS.rglob("*.py"):
            place = path.relative_to(TESTS.parent)
            with case(place):
                found = imported_tests(path.read_text(encoding="utf-8"), ".".join(place.with_suffix("").parts))
                assert not found, "move what is wanted to tests/support"


def test_other_modules_are_served_or_programs_of_their_own() -> None:
    served_or_run = ("support", "peers", "fuzz", "integrations/django_site")
    for path in TESTS.rglob("*.py"):
        place = path.relative_to(TESTS)
        if not path.name.startswith("test_") and path.name != "conftest.py" and "apps" not in place.parts:
            assert any(place.is_relative_to(folder) for folder in served_or_run), f"move {place} to tests/support"
