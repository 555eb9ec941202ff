"""No module imports itself by way of others: not for types alone, nor inside a function.

The contract on floors (import-linter) does not see circles inside a package. A module of a circle can't be read, moved
or tested without the others.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hotshoe

ROOT = Path(hotshoe.__file__).parent.parent


def modules(folder: Path) -> dict[str, Path]:
    """The files of the package ``folder``, by the name of the module."""
    names = {path: path.relative_to(folder.parent).with_suffix("").parts for path in folder.rglob("*.py")}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in names.items()}


def imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of ``known`` that the module imports, wherever in its file."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                found = f"{origin}.{alias.name}"
                if found in known or origin in known:
                    yield found if found in known else origin


def circle(folder: Path) -> list[str]:
    """Modules that import each other, the first again at the end; none if there is no circle."""
    known = modules(folder)
    graph = {name: set(imports(name, path, known)) for name, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(ROOT / "hotshoe") == []


@pytest.mark.parametrize("imported", [
    "from .b import B", "from . import b", "import package.b", "from package.b import B",
    "if TYPE_CHECKING:\n    from .b import B", "def f():\n    from .b import B",
])
def test_a_circle_is_found(tmp_path: Path, imported: str) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text(imported)
    (folder / "b.py").write_text("from .c import C")
    (folder / "c.py").write_text("")
    assert circle(folder) == []
    (folder / "c.py").write_text("from . import a")
    assert sorted(set(circle(folder))) == ["package.a", "package.b", "package.c"]
