import ast
import pkgutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import hotshoe

PACKAGE = Path(hotshoe.__file__).parent
MEANT_CLASSES = {
    "Session": "of sessions/, the document on the server; of client/, what a program holds of it, named as bokeh's is",
}
MEANT_FILES = {
    "session.py": "both hold the Session of their package",
    "settings.py": "cli/ has a file for each command, named as the command: hotshoe settings",
    "static.py": "hotshoe static",
}


def test_public_names() -> None:
    assert hotshoe.__all__ == [
        "FailureInfo", "Server", "Settings", "__version__", "asgi", "locked_callback", "on_exception",
        "pause_when_unwatched", "wrap",
    ]  # fmt: skip
    assert set(hotshoe.__all__) <= set(dir(hotshoe))
    for name in hotshoe.__all__:
        assert getattr(hotshoe, name) is not None


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serve'"):
        _ = hotshoe.serve


def test_no_part_has_the_name_of_something_public() -> None:
    """Importing the package ``hotshoe/asgi`` would put a module in the place of the function ``hotshoe.asgi``."""
    parts = {info.name for info in pkgutil.iter_modules(hotshoe.__path__)}
    assert parts & set(hotshoe.__all__) == set()


def test_importing_is_light() -> None:
    code = "import hotshoe, sys; print([name for name in ('bokeh', 'uvicorn', 'asyncio') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def check_names(found: Iterable[tuple[str, str]], meant: dict[str, str]) -> None:
    """Of names with the modules where they stand, those that stand in several have a reason; and no reason is stale."""
    places = defaultdict[str, set[str]](set)
    for name, module in found:
        places[name].add(module)
    several = {name: sorted(modules) for name, modules in places.items() if len(modules) > 1}
    assert {name: modules for name, modules in several.items() if name not in meant} == {}
    assert sorted(meant.keys() - several.keys()) == []


def modules() -> Iterator[tuple[Path, str]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file, str(file.relative_to(PACKAGE))


def test_a_class_name_means_one_thing() -> None:
    check_names(((node.name, module) for file, module in modules() for node in ast.walk(ast.parse(file.read_text()))
                 if isinstance(node, ast.ClassDef) and not node.name.startswith("_")), MEANT_CLASSES)


def test_a_module_name_means_one_thing() -> None:
    check_names(((file.name, module) for file, module in modules() if file.name != "__init__.py"), MEANT_FILES)
