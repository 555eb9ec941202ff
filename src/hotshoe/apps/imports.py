"""The files that an app's code imports, found by reading it: no code is run, and libraries are left out.

Paths are compared with symbolic links resolved.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base.errors import AppError
from ..base.folders import stamp_of
from ..base.tracebacks import is_library, real

Edges = Mapping[Path, Collection[Path]]
"""Files, and the files that each of them imports."""


class Import(NamedTuple):
    """An import statement: ``from ..module import names``; ``level`` counts the dots."""

    level: int
    module: str
    names: tuple[str, ...] = ()


class Reader:
    """Reads the imports of files; reads a file again only if it has changed."""

    def __init__(self, read: Callable[[Path], str | bytes]) -> None:
        self._read = read
        self._known: dict[Path, tuple[object, tuple[Import, ...]]] = {}

    def imports(self, file: Path) -> tuple[Import, ...]:
        """The imports of ``file``; while it cannot be read or parsed, its previous imports."""
        known, found = self._known.get(file, (None, ()))
        stamp = stamp_of(file)
        if stamp is not None and stamp != known:
            # Errors are reported when the file is run.
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError, AppError):
                found = imports_of(self._read(file))
            self._known[file] = stamp, found
        return found

    def edges(self, roots: Iterable[Path], folders: Sequence[Path]) -> dict[Path, frozenset[Path]]:
        """All files that are imported from ``roots`` on; absolute imports are searched in ``folders``, in order."""
        edges: dict[Path, frozenset[Path]] = {}
        waiting = list(roots)
        while waiting:
            file = waiting.pop()
            if file in edges:
                continue
            found = {to for one in self.imports(file) for to in resolve(one, file, folders)}
            edges[file] = frozenset(found - {file})
            waiting += found
        return edges


def imports_of(source: str | bytes) -> tuple[Import, ...]:
    """The import statements in Python code, on all levels. Raises the errors of ``ast.parse``."""
    found: dict[Import, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {Import(0, alias.name): None for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found[Import(node.level, node.module or "", tuple(alias.name for alias in node.names))] = None
    return tuple(found)


def resolve(wanted: Import, importer: Path, folders: Sequence[Path]) -> Iterator[Path]:
    """The files that an import loads: parent packages, the module, and submodules among its names."""
    names = wanted.module.split(".") if wanted.module else []
    if wanted.level:
        base = importer.parent
        for _ in range(wanted.level - 1):
            base = base.parent
        start: Sequence[Path] = [base]
        if (package := base / "__init__.py").is_file():
            yield package
    else:
        start = folders
    for name in names:
        file, start = _step(name, start, top=start is folders)
        if file is not None:
            yield file
    if wanted.level or names:
        for name in wanted.names:
            if (file := _step(name, start)[0]) is not None:
                yield file


def _step(name: str, folders: Sequence[Path], *, top: bool = False) -> tuple[Path | None, Sequence[Path]]:
    """The file of the module ``name`` in one of ``folders``, and the folders of its submodules."""
    if top and (loaded := sys.modules.get(name)) is not None:
        inner = [folder for entry in getattr(loaded, "__path__", ()) if not is_library(folder := real(entry))]
        return module_file(loaded), inner
    if top and name in sys.stdlib_module_names:
        return None, ()
    for folder in folders:
        if (file := module_file_in(folder, name)) is not None:
            return file, [file.parent] if file.name == "__init__.py" else ()
    return None, [folder / name for folder in folders if (folder / name).is_dir()]


def module_file_in(folder: Path, name: str) -> Path | None:
    """The file of the module or package ``name`` in ``folder``."""
    files = (folder / name / "__init__.py", folder / f"{name}.py")
    return next((file for file in files if file.is_file()), None)


def importers(changed: Iterable[Path], edges: Edges) -> set[Path]:
    """``changed``, and all files that import these, directly or indirectly."""
    found = set(changed)
    while more := {file for file, imported in edges.items() if file not in found and not found.isdisjoint(imported)}:
        found |= more
    return found


def own_modules() -> dict[str, Path]:
    """The files of loaded modules by name, without libraries."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name not in ("__main__", "__mp_main__") and (file := module_file(module)) is not None:
            found[name] = file
    return found


def module_file(module: object) -> Path | None:
    """The source file of a module; ``None`` for a library's module, or without a source file."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return None
    path = real(file)
    return None if is_library(path) else path


def own_folders() -> list[Path]:
    """The folders that absolute imports search, without libraries."""
    return [folder for entry in sys.path if not is_library(folder := real(entry or "."))]
