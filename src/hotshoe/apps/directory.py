"""A directory as an app: main.py or main.ipynb; maybe hooks, theme, template, static files, a package."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import TYPE_CHECKING

from bokeh.themes import Theme
from jinja2 import Environment, FileSystemLoader, Template, TemplateError, TemplateSyntaxError

from ..errors import AppError
from .app import App, Hooks
from .code import compile_python, failed_to_run, read, run_once, unique_module_name
from .description import thumbnail_of
from .functions import check_signature
from .notebook import load_notebook
from .process import running
from .script import builder, load_script

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from bokeh.document import Document

log = logging.getLogger(__name__)

_HOOKS = {
    "on_server_loaded": "server_context",
    "on_server_unloaded": "server_context",
    "on_session_created": "session_context",
    "on_session_destroyed": "session_context",
}


def load_directory(folder: Path, argv: Sequence[str] = (), *, package: ModuleType | None = None,
                   hooks: Hooks | None = None) -> App:
    """The app in ``folder``. Its package and hooks run now, once for the process. Raises AppError.

    ``package`` and ``hooks`` of an earlier load are taken as they are.
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
    return App(
        build,
        about.title,
        about.text,
        hooks,
        static if static.is_dir() else None,
        thumbnail=thumbnail_of(folder),
        source=main,
        package=package,
    )


def _main(folder: Path) -> Path:
    found = [path for name in ("main.py", "main.ipynb") if (path := folder / name).is_file()]
    if not found:
        raise AppError(f"{folder}: no app: a directory needs a main.py or a main.ipynb")
    if len(found) > 1:
        log.warning("%s: has both main.py and main.ipynb; main.py is used", folder)
    return found[0]


def _hooks_path(folder: Path) -> Path | None:
    found = [path for name in ("app_hooks.py", "server_lifecycle.py") if (path := folder / name).is_file()]
    if len(found) > 1:
        raise AppError(f"{folder}: has both app_hooks.py and server_lifecycle.py; keep one")
    return found[0] if found else None


def _package(folder: Path, argv: Sequence[str]) -> ModuleType | None:
    """The package that relative imports start from: one for all sessions, as are the modules in it."""
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
        with running(str(path), argv=(path.name, *argv), folder=str(folder), told=set()):
            spec.loader.exec_module(package)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise failed_to_run(error, folder) from error
    return package


def _hooks(path: Path, argv: Sequence[str], package: ModuleType | None) -> Hooks:
    program, _ = load_script(path, argv, package)
    names = vars(run_once(program))
    expected = dict(_HOOKS)
    if path.name == "app_hooks.py":
        expected["process_request"] = "request"
    for name, argument in expected.items():
        if name in names:
            check_signature(names[name], argument, f"{path}: {name}")
    return Hooks(**{name.removeprefix("on_"): names[name] for name in expected if name in names})


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
        raise AppError(f"{path}:{line}: no theme: {' '.join(str(reason).split())}") from error


def _template(folder: Path) -> Template | None:
    path = folder / "templates" / "index.html"
    if not path.is_file():
        return None
    # Not escaped: bokeh passes HTML in plain strings, as every template written for it expects.
    environment = Environment(loader=FileSystemLoader(path.parent))  # noqa: S701
    try:
        return environment.get_template(path.name)
    except TemplateSyntaxError as error:
        raise AppError(f"{error.filename or path}:{error.lineno}: {error.message}") from error
    except (TemplateError, OSError, UnicodeDecodeError) as error:
        raise AppError(f"{path}: {error}") from error
