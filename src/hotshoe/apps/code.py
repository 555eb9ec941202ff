"""Python code that is compiled once and run for every session, each time in a fresh module of its own."""

from __future__ import annotations

import ast
import os
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import AppError
from .process import running
from .tracebacks import error_line, in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

# Apps ask `__name__.startswith("bokeh_app_")`; so do bokeh and Panel.
MODULE_PREFIX = "bokeh_app_"


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled code of a script or notebook.

    ``package`` is what its relative imports start from; ``names`` are there before its first line runs.
    """

    path: Path
    chunks: tuple[CodeType, ...]
    argv: tuple[str, ...] = ()
    package: ModuleType | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def new_module(self) -> ModuleType:
        """A module for one run, not yet in ``sys.modules``."""
        module = ModuleType(unique_module_name())
        module.__file__ = str(self.path)
        if self.package is not None:
            module.__package__ = self.package.__name__
            module.__path__ = [str(self.path.parent)]
        module.__dict__.update(self.names)
        return module

    def run(self, module: ModuleType) -> None:
        """Run the code in ``module``, which stands in ``sys.modules``. What it raises comes out."""
        argv = (self.path.name, *self.argv)
        with running(str(self.path), argv=argv, folder=str(self.path.parent), told=self._told):
            for chunk in self.chunks:
                exec(chunk, module.__dict__)  # noqa: S102  (to run code is what this is for)


def unique_module_name() -> str:
    """A name that no other run has."""
    return MODULE_PREFIX + uuid.uuid4().hex


def read(path: Path) -> bytes:
    """The content of a file of an app."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise AppError(f"{path}: can't be read: {error.strerror or error}") from error


def compile_python(source: bytes | str, filename: str, *, flags: int = 0) -> tuple[CodeType, str | None]:
    """Code and docstring; bytes may start with a byte order mark or a coding cookie. Raises AppError."""
    try:
        tree = ast.parse(source, filename)
        return compile(tree, filename, "exec", flags=flags, dont_inherit=True), ast.get_docstring(tree)
    except SyntaxError as error:
        raise AppError(f"{filename}:{_syntax_line(error, source)}: {_syntax_reason(error)}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        # NUL bytes (before Python 3.12), code nested too deeply
        raise AppError(f"{filename}:1: {in_one_line(error)}") from error


def run_once(program: Program) -> ModuleType:
    """Run code that belongs to the process, not to a session (hooks). What it raises becomes an AppError."""
    module = program.new_module()
    sys.modules[module.__name__] = module
    try:
        program.run(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise failed_to_run(error, program.path.parent) from error
    return module


def failed_to_run(error: BaseException, folder: Path) -> AppError:
    """An exception of an app's code at start, as one line."""
    filename, line = error_line(error, folder)
    return AppError(f"{filename}:{line}: {in_one_line(error)}")


def absolute(path: str | os.PathLike[str]) -> Path:
    """As stock does it: ``~`` expanded, symbolic links kept."""
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111  (Path.resolve follows links)




def _syntax_line(error: SyntaxError, source: bytes | str) -> int:
    if error.lineno:
        return error.lineno
    # An encoding error has no line; the first byte that is no UTF-8 has one.
    try:
        source.decode() if isinstance(source, bytes) else source
    except UnicodeDecodeError as undecodable:
        return undecodable.object.count(b"\n", 0, undecodable.start) + 1
    return 1


def _syntax_reason(error: SyntaxError) -> str:
    return " ".join(str(error.msg).split())
