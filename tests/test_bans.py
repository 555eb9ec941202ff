"""hotshoe does without bokeh's own server: none of its modules imports it, by statement or by name.

import-linter can't forbid subpackages of other projects, and ruff's banned-api sees statements only.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotshoe

SOURCES = Path(hotshoe.__file__).parent
BANNED = re.compile(r"bokeh\.(server|client|protocol|application|command)(\.\w+)*")

# Names that may stand in a string. `sys.modules.get` imports nothing: an app or Panel has imported it, or it is None.
LOOKED_UP = {("seams/panel/stock_session.py", "bokeh.server.contexts")}


def banned_names(tree: ast.AST) -> Iterator[str]:
    """The banned modules that code names: in statements, or as a whole string as ``import_module`` takes it."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                candidates = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                candidates = [f"{module}.{alias.name}" for alias in names]
            case ast.Constant(value=str(text)):
                candidates = [text]
            case ast.Attribute():
                candidates = [ast.unparse(node)]
            case _:
                continue
        yield from (name for name in candidates if BANNED.fullmatch(name))


@pytest.mark.parametrize("code", [
    "import bokeh.server",
    "import bokeh.server.server as own",
    "from bokeh import client",
    "from bokeh.protocol.messages import ack",
    "def f():\n    from bokeh.application import Application",
    "if TYPE_CHECKING:\n    from bokeh.command.bootstrap import main",
    "import_module('bokeh.server.callbacks')",
    "__import__(name='bokeh.client')",
    "bokeh.server.callbacks.PeriodicCallback",
])
def test_each_way_to_import_is_seen(code: str) -> None:
    assert list(banned_names(ast.parse(code)))


@pytest.mark.parametrize("code", [
    "from bokeh.document import Document",
    "from .server import Server",
    "import hotshoe.server.server",
    "'what bokeh.server calls a session'",
])
def test_nothing_else_is(code: str) -> None:
    assert not list(banned_names(ast.parse(code)))


def test_no_module_names_bokehs_server() -> None:
    found = {
        (path.relative_to(SOURCES).as_posix(), name)
        for path in SOURCES.rglob("*.py")
        for name in banned_names(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found <= LOOKED_UP, f"these name a part of bokeh that hotshoe replaces: {sorted(found - LOOKED_UP)}"


def test_nothing_of_bokehs_server_comes_in_through_bokeh() -> None:
    """What other parts of bokeh import counts too: only callbacks of documents do, when an app adds one."""
    code = (
        "import pkgutil, sys, hotshoe\n"
        "for module in pkgutil.walk_packages(hotshoe.__path__, 'hotshoe.'):\n"
        "    if not module.name.endswith('__main__'): __import__(module.name)\n"
        "print(*sorted(sys.modules))"
    )
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "hotshoe.server.server" in modules
    assert [name for name in modules if BANNED.fullmatch(name)] == []


def reads_environment(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
               for node in ast.walk(tree))


def test_only_the_command_reads_the_environment() -> None:
    """But for the folders of a user's own files, as ``cli/main.py`` says, and a home for a user who has none."""
    found = {file.relative_to(SOURCES).as_posix() for file in SOURCES.rglob("*.py")
             if reads_environment(ast.parse(file.read_text(encoding="utf-8")))}
    # process_wide.py watches what apps set, and reads nothing for hotshoe.
    assert found == {"cli/main.py", "base/folders.py", "base/home.py", "seams/process/process_wide.py"}
