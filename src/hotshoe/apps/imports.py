"""Which files an app's code imports, found by reading it: nothing is run, and libraries are left out.

Paths are compared as the file system has them, links resolved.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..errors import AppError

Edges = Mapping[Path, Collection[Path]]
"""Files, and which files each of them imports."""

_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})
_LIBRARIES = ("bokeh", "panel")


class Import(NamedTuple):
    """An import statement: ``from ..module import names``; ``level`` counts the dots."""

    level: int
    module: str
    names: tuple[str, ...] = ()


class Reader:
    """Reads the imports of files; each file again only when it has changed."""

    def __init__(self, read: Callable[[Path], str | bytes]) -> None:
        self._read = read
        self._known: dict[Path, tuple[object, tuple[Import, ...]]] = {}

    def imports(self, file: Path) -> tuple[Import, ...]:
        """What ``file`` imports; while it can't be read or parsed, what it did before."""
        try:
            status = file.stat()
        except OSError:
            return self._known.get(file, (None, ()))[1]
        stamp = (status.st_mtime_ns, status.st_size)
        known, found = self._known.get(file, (None, ()))
        if known != stamp:
            # Whoever runs it will say what is wrong with it.
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError, AppError):
                found = imports_of(self._read(file))
            self._known[file] = stamp, found
        return found

    def edges(self, roots: Iterable[Path], folders: Sequence[Path]) -> dict[Path, frozenset[Path]]:
        """All files that are reached from ``roots``; absolute imports are looked for in ``folders``, in this order."""
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
    """The import statements in Python code, wherever they stand. Raises what parsing raises."""
    found: dict[Import, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {Import(0, alias.name): None for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found[Import(node.level, node.module or "", tuple(alias.name for alias in node.names))] = None
    return tuple(found)


def resolve(wanted: Import, importer: Path, folders: Sequence[Path]) -> Iterator[Path]:
    """The files that an import loads: packages on the way, the module, and submodules among its names."""
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
    """The file of the module ``name`` in one of ``folders``, and where its submodules are."""
    if top and (loaded := sys.modules.get(name)) is not None:
        inner = [folder for entry in getattr(loaded, "__path__", ()) if not is_library(folder := real(entry))]
        return module_file(loaded), inner
    if top and name in sys.stdlib_module_names:
        return None, ()
    for folder in folders:
        if (package := folder / name / "__init__.py").is_file():
            return package, [package.parent]
        if (module := folder / f"{name}.py").is_file():
            return module, ()
    return None, [folder / name for folder in folders if (folder / name).is_dir()]


def importers(changed: Iterable[Path], edges: Edges) -> set[Path]:
    """``changed``, and all that imports it, directly or not."""
    found = set(changed)
    while more := {file for file, imported in edges.items() if file not in found and not found.isdisjoint(imported)}:
        found |= more
    return found


def own_modules() -> dict[str, Path]:
    """The loaded modules that belong to no library, by name, and their files."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name not in ("__main__", "__mp_main__") and (file := module_file(module)) is not None:
            found[name] = file
    return found


def module_file(module: object) -> Path | None:
    """The source file of a module; ``None`` for a library's, and for one that has none."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return None
    path = real(file)
    return None if is_library(path) else path


def own_folders() -> list[Path]:
    """Where absolute imports look, without the libraries."""
    return [folder for entry in sys.path if not is_library(folder := real(entry or "."))]


@lru_cache(maxsize=65536)
def real(path: str | Path) -> Path:
    """The absolute path without links."""
    return Path(os.path.realpath(path))


@lru_cache(maxsize=65536)
def is_library(path: Path) -> bool:
    """Whether Python, a package manager, bokeh, Panel or hotshoe brought this file."""
    return not _PACKAGE_FOLDERS.isdisjoint(path.parts) or any(path.is_relative_to(home) for home in _homes())


@lru_cache(maxsize=1)
def _homes() -> tuple[Path, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parent.parent)}
    for name in _LIBRARIES:  # they may stand anywhere, if somebody works on them
        if (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None:
            folders.add(str(Path(spec.origin).parent))
    return tuple({Path(os.path.realpath(folder)) for folder in folders if folder})
