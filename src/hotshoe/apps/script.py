"""Python code as an app: compiled once, and run for every session in a new module."""

from __future__ import annotations

import ast
import os
import re
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from ..base.errors import AppError
from ..base.files import read_regular
from ..base.tracebacks import error_line, in_one_line
from ..seams.panel import finish_panel
from .app import Description, from_docstring
from .gone_modules import explain
from .outputs import Outputs, Part, show_outputs
from .process import running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bokeh.document import Document

# Apps, bokeh and Panel test `__name__.startswith("bokeh_app_")`.
MODULE_PREFIX = "bokeh_app_"
explain(MODULE_PREFIX)
MOST_BYTES = 1 << 28
"""Of a file of an app that is read as a whole; notebooks have results in them."""


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled code of a script or notebook.

    Its relative imports start in ``package``; ``names`` are defined before its first line runs.
    """

    path: Path
    chunks: tuple[CodeType, ...]
    argv: tuple[str, ...] = ()
    package: ModuleType | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] | None = None
    """The cells of a notebook, which shows their outputs if it adds nothing to its document."""
    _warned: set[str] = field(default_factory=set)

    def new_module(self) -> ModuleType:
        """A module for one run, not yet in ``sys.modules``."""
        module = ModuleType(unique_module_name())
        module.__file__ = str(self.path)
        if self.package is not None:
            module.__package__ = self.package.__name__
            module.__path__ = [str(self.path.parent)]
        module.__dict__.update(self.names)
        return module

    def run(self, module: ModuleType, outputs: Outputs | None = None) -> None:
        """Run the code in ``module``, which must be in ``sys.modules``. Raises the code's exceptions."""
        argv = (self.path.name, *self.argv)
        with running(str(self.path), argv=argv, folder=str(self.path.parent), warned=self._warned, outputs=outputs):
            for number, chunk in enumerate(self.chunks):
                if outputs is not None:
                    outputs.cell = number
                exec(chunk, module.__dict__)  # noqa: S102  (its purpose is to run code)


def unique_module_name() -> str:
    """A new name for a module."""
    return MODULE_PREFIX + uuid.uuid4().hex


def read(path: Path) -> bytes:
    """The content of a file of an app. Raises AppError."""
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise AppError(f"{path}: can't be read: {error.strerror or error}") from error


def compile_python(source: bytes | str, filename: str, *, flags: int = 0,
                   change: Callable[[ast.Module], ast.Module] = lambda tree: tree) -> tuple[CodeType, str | None]:
    """The code and its docstring; bytes may start with a byte order mark or a coding cookie. Raises AppError."""
    try:
        tree = ast.parse(source, filename)
        docstring = ast.get_docstring(tree)
        return compile(change(tree), filename, "exec", flags=flags, dont_inherit=True), docstring
    except SyntaxError as error:
        text = " ".join(str(error.msg).split())
        raise AppError(f"{filename}:{_syntax_line(error, source)}: {text}{_advice(text)}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        # NUL bytes (before Python 3.12), code nested too deeply
        raise AppError(f"{filename}:1: {in_one_line(error)}") from error


def _advice(text: str) -> str:
    """What to write instead of ``await`` outside of functions."""
    if "outside" not in text or not re.search(r"\b(await|async|asynchronous)\b", text):
        return ""
    return ("; write it into an async function f, and let the server call that: curdoc().add_next_tick_callback(f), or "
            "pn.state.onload(f) with Panel")


def run_once(program: Program) -> ModuleType:
    """Run code that belongs to the process, not to a session (hooks). Raises AppError for the code's exceptions."""
    module = program.new_module()
    sys.modules[module.__name__] = module
    try:
        program.run(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise run_error(error, program.path.parent) from error
    return module


def run_error(error: BaseException, folder: Path) -> AppError:
    """The error for an exception of an app's code at startup: one line."""
    filename, line = error_line(error, folder)
    return AppError(f"{filename}:{line}: {in_one_line(error)}")


def absolute(path: str | os.PathLike[str]) -> Path:
    """The absolute path as ``bokeh serve`` makes it: with ``~`` expanded, symbolic links kept."""
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111  (Path.resolve follows links)


def _syntax_line(error: SyntaxError, source: bytes | str) -> int:
    if error.lineno:
        return error.lineno
    # An encoding error has no line; find that of the first byte that is not UTF-8.
    try:
        source.decode() if isinstance(source, bytes) else source
    except UnicodeDecodeError as undecodable:
        return undecodable.object.count(b"\n", 0, undecodable.start) + 1
    return 1


def load_script(path: Path, argv: Sequence[str] = (), package: ModuleType | None = None) -> tuple[Program, Description]:
    """The script as a program, and its description. Raises AppError."""
    code, docstring = compile_python(read(path), str(path))
    return Program(path, (code,), tuple(argv), package), from_docstring(docstring)


def builder(program: Program) -> Callable[[Document], None]:
    """A ``build`` that runs the program in a new module, which lives as long as the document."""

    def build(document: Document) -> None:
        module = program.new_module()
        document.modules.add(module)
        outputs = None if program.parts is None else Outputs()
        program.run(module, outputs)
        if program.parts is not None and outputs is not None:
            show_outputs(document, program.path.stem, program.parts, outputs)
        finish_panel(document)

    return build
