"""A Jupyter notebook as a program: its code cells, without the syntax that only IPython understands.

A line is replaced only if Python reports a syntax error in it, so ``%`` in a string or an expression stays.
"""

from __future__ import annotations
import __future__

import ast
import json
import linecache
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base.errors import AppError
from .app import Description, from_docstring, from_markdown
from .awaits import wait_for, without_awaits
from .outputs import NAMES, Part, record
from .run_magic import as_call, run_file
from .script import Program, compile_python, load_script, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import CodeType, ModuleType

log = logging.getLogger(__name__)

_CELL_MAGIC = re.compile(r"^\s*%%(\w+)")
_FOREIGN = frozenset(
    {"bash", "cmd", "cython", "file", "fortran", "html", "javascript", "js", "latex", "markdown", "perl"}
    | {"pypy", "R", "ruby", "script", "sh", "sql", "svg", "system", "sx", "writefile"}
)
_ASSIGNED_MAGIC = re.compile(r"^(\s*[^=!%]+=\s*)([!%])\s*\S")
_MAGIC = re.compile(r"^\s*(?:%\w|!(?!=)|\?|.*\?\s*$)")
_FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


class Cell(NamedTuple):
    """One cell; ``number`` counts the code cells from 1, as Jupyter's prompt does after *Run all*."""

    kind: str
    source: str
    number: int
    layout: Mapping[str, Any]
    """Its place and size, if Panel has noted them."""


class NoShell:
    """The result of ``get_ipython()`` in an app: it accepts every call, and does nothing but ``%run``."""

    wait_for = staticmethod(wait_for)

    def run_line_magic(self, name: str, line: str, *_arguments: Any) -> None:
        """Do what the magic does, if it is ``%run``."""
        if name == "run":
            caller = sys._getframe(1)  # noqa: SLF001 - documented, in spite of its name
            run_file(line, caller.f_globals, {".py": load_script, ".ipynb": load_notebook})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_arguments: Any, **_options: Any) -> None:
        return None


def load_notebook(
    path: Path, argv: Sequence[str] = (), package: ModuleType | None = None
) -> tuple[Program, Description]:
    """The notebook as a program, and its description. Raises AppError."""
    cells = list(_cells(path))
    chunks: list[CodeType] = []
    docstring: str | None = None
    flags = 0
    for cell in (cell for cell in cells if cell.kind == "code"):
        code, first = _compile_cell(path, cell, flags)
        flags |= code.co_flags & _FUTURE
        docstring = first if not chunks else docstring
        chunks.append(code)
    text = next((cell.source for cell in cells if cell.kind == "markdown" and cell.source.strip()), None)
    about = from_docstring(docstring) if text is None else from_markdown(text)
    shell = NoShell()
    parts = tuple(_part(cell) for cell in cells if cell.kind in ("code", "markdown"))
    return Program(path, tuple(chunks), tuple(argv), package, {"get_ipython": lambda: shell, **NAMES}, parts), about


def _part(cell: Cell) -> Part:
    return Part(cell.source, cell.number - 1 if cell.kind == "code" else None, cell.layout)


def to_script(path: Path) -> str:
    """The notebook as a script for readers: cells separated by ``# %%``, Markdown as comments. Raises AppError."""
    return "\n\n\n".join(_cell_text(cell) for cell in _cells(path) if cell.source.strip()) + "\n"


def _cell_text(cell: Cell) -> str:
    source = cell.source.strip("\n")
    if cell.kind == "code":
        return f"# %%\n{source}"
    commented = "\n".join(f"# {line}".rstrip() for line in source.splitlines())
    return f"# %% [{cell.kind}]\n{commented}"


def code_of(content: bytes) -> str:
    """The code cells of a notebook's content as one Python text. Raises ``ValueError`` if it is not a notebook."""
    try:
        cells = _parse(json.loads(content))
        return "\n".join(without_magics(cell.source) for cell in cells if cell.kind == "code")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def without_magics(source: str) -> str:
    """The cell with IPython's syntax replaced by Python that does nothing, on the same lines."""
    if (magic := _CELL_MAGIC.match(source)) is not None:
        lines = source.splitlines()
        source = "\n".join(["", *([] if magic[1] in _FOREIGN else lines[1:])])
    for _ in range(source.count("\n") + 1):
        try:
            ast.parse(source)
        except SyntaxError as error:
            replaced = _without_magic_line(source, error.lineno or 0)
        except (ValueError, RecursionError, MemoryError):
            return source
        else:
            return source
        if replaced is None:
            return source
        source = replaced
    return source


def _without_magic_line(source: str, lineno: int) -> str | None:
    lines = source.split("\n")
    line = lines[lineno - 1] if 1 <= lineno <= len(lines) else ""
    if (call := as_call(line)) is not None:
        lines[lineno - 1] = call
    elif (assigned := _ASSIGNED_MAGIC.match(line)) is not None:
        lines[lineno - 1] = assigned[1] + ("[]" if assigned[2] == "!" else "None")
    elif _MAGIC.match(line) is not None:
        lines[lineno - 1] = line[: len(line) - len(line.lstrip())] + "pass"
    else:
        return None
    return "\n".join(lines)


def _compile_cell(path: Path, cell: Cell, flags: int) -> tuple[CodeType, str | None]:
    source = without_magics(cell.source)
    if source not in (cell.source, "\n".join(as_call(line) or line for line in cell.source.split("\n"))):
        log.info("%s: left out the IPython magics and commands in code cell %d", path, cell.number)
    filename = f"{path}, cell {cell.number}"
    # checkcache() keeps an entry without a time stamp, so that tracebacks show the cell's lines.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return compile_python(source, filename, flags=flags, change=lambda tree: record(without_awaits(tree), source))


def _cells(path: Path) -> Iterator[Cell]:
    try:
        notebook = json.loads(read(path))
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise AppError(f"{path}:{line}: not a notebook: {error}") from error
    try:
        yield from _parse(notebook)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AppError(f"{path}: not a notebook: {error}") from error


def _parse(notebook: Any) -> Iterator[Cell]:
    language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise ValueError(f"its language is {language}, not python")
    # Format 3 had worksheets, and "input" in place of "source".
    sheets = notebook.get("worksheets", [notebook])
    number = 0
    for cell in (cell for sheet in sheets for cell in sheet["cells"]):
        kind = cell["cell_type"]
        number += kind == "code"
        source = cell["source"] if "source" in cell else cell["input"]
        layout = cell.get("metadata", {}).get("panel-layout", {})
        yield Cell(kind, source if isinstance(source, str) else "".join(source), number, layout)
