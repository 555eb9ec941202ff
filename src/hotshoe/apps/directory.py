"""A directory as an app: main.py or main.ipynb, with optional hooks, theme, template, static files and package."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import TYPE_CHECKING

from bokeh.themes import Theme
from jinja2 import Environment, FileSystemLoader, Template, TemplateError, TemplateSyntaxError

from ..base.errors import AppError
from .app import HOOKS, App, Hooks, thumbnail_of
from .functions import check_signature
from .notebook import load_notebook
from .process import running
from .script import builder, compile_python, load_script, read, run_error, run_once, unique_module_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from bokeh.document import Document

log = logging.getLogger(__name__)

MAINS = ("main.py", "main.ipynb")
HOOK_FILES = ("app_hooks.py", "server_lifecycle.py")


def load_directory(folder: Path, argv: Sequence[str] = (), *, package: ModuleType | None = None,
                   hooks: Hooks | None = None) -> App:
    """Load the app in ``folder``. Its package and hooks run now, once for the process. Raises AppError.

    ``package`` and ``hooks`` of an earlier load are used again if they are given.
    """
    main = _main(folder)
    hooks_path = _hooks_path(folder)
    theme, template = _theme(folder), _template(folder)
    package = _package(folder, argv) if package is None else package
    load_main = load_notebook if main.suffix == ".ipynb" else load_script
    program, about = load_main(main, argv, package)
    if hooks is None:
        hooks = Hooks() if hooks_path is None else _hooks(hooks_path, argv, package)
    run_main = builder(program)

    def build(document: Document) -> None:
        if theme is not None:
            document.theme = theme
        if template is not None:
            document.template = template
        run_main(document)

    static = folder / "static"
    return App(build, about.title, about.text, hooks, static if static.is_dir() else None,
               thumbnail=thumbnail_of(folder), source=main, package=package)


def _main(folder: Path) -> Path:
    found = [path for name in MAINS if (path := folder / name).is_file()]
    if not found:
        raise AppError(f"{folder}: not an app: a directory needs a main.py or a main.ipynb")
    if len(found) > 1:
        log.warning("%s: has both main.py and main.ipynb; main.py is used", folder)
    return found[0]


def _hooks_path(folder: Path) -> Path | None:
    found = [path for name in HOOK_FILES if (path := folder / name).is_file()]
    if len(found) > 1:
        raise AppError(f"{folder}: has both app_hooks.py and server_lifecycle.py; keep one")
    return found[0] if found else None


def _package(folder: Path, argv: Sequence[str]) -> ModuleType | None:
    """Import the package in which relative imports start; all sessions share it and its modules."""
    path = folder / "__init__.py"
    if not path.is_file():
        return None
    compile_python(read(path), str(path))
    name = unique_module_name()
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise AppError(f"{path}: can't be imported")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        with running(str(path), argv=(path.name, *argv), folder=str(folder), warned=set()):
            spec.loader.exec_module(package)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise run_error(error, folder) from error
    return package


def _hooks(path: Path, argv: Sequence[str], package: ModuleType | None) -> Hooks:
    program, _ = load_script(path, argv, package)
    names = vars(run_once(program))
    found = [name for name in HOOKS if name in names and (name != "process_request" or path.name == "app_hooks.py")]
    for name in found:
        check_signature(names[name], HOOKS[name], f"{path}: {name}")
    return Hooks(**{name.removeprefix("on_"): names[name] for name in found})


def _theme(folder: Path) -> Theme | None:
    path = folder / "theme.yaml"
    if not path.is_file():
        return None
    try:
        return Theme(filename=str(path))
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        reason = getattr(error, "problem", None) or error
        raise AppError(f"{path}:{line}: not a theme: {' '.join(str(reason).split())}") from error


def _template(folder: Path) -> Template | None:
    path = folder / "templates" / "index.html"
    if not path.is_file():
        return None
    # No escaping: bokeh passes HTML in plain strings, and templates for it expect that.
    environment = Environment(loader=FileSystemLoader(path.parent))  # noqa: S701
    try:
        return environment.get_template(path.name)
    except TemplateSyntaxError as error:
        raise AppError(f"{error.filename or path}:{error.lineno}: {error.message}") from error
    except (TemplateError, OSError, UnicodeDecodeError) as error:
        raise AppError(f"{path}: {error}") from error
