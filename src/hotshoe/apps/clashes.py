"""Warns of modules of one name in the folders of several apps: a process has one module of each name."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..base.errors import AppError
from ..base.tracebacks import real
from .app import App
from .imports import imports_of, module_file_in
from .notebook import code_of
from .script import read

_log = logging.getLogger(__name__)


def warn_of_clashes(apps: Mapping[str, App]) -> None:
    """Log a warning for each name of a module that apps import from their own folders, and mean different files by."""
    meant: dict[str, dict[Path, str]] = {}
    for url, app in apps.items():
        for name, file in _own_modules(app):
            meant.setdefault(name, {}).setdefault(file, url)
    for name, urls in meant.items():
        if len(urls) > 1:
            _log.warning("The apps %s have different modules called %s, but a process has only one of a name: the "
                         "others get a wrong one; rename them, or use `from . import %s` in a folder with __init__.py",
                         " and ".join(sorted(urls.values())), name, name)


def _own_modules(app: App) -> Iterator[tuple[str, Path]]:
    """The modules that the app's main file imports from its own folder."""
    if app.source is None:
        return
    with contextlib.suppress(AppError, SyntaxError, ValueError, RecursionError, MemoryError):
        content = read(app.source)
        folder = real(app.source.parent)
        for wanted in imports_of(code_of(content) if app.source.suffix == ".ipynb" else content):
            name = wanted.module.partition(".")[0]
            if not wanted.level and name and (file := module_file_in(folder, name)) is not None:
                yield name, file
