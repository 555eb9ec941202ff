"""From what an operator or a program names (a path, a function, an Application) to apps at their URLs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeGuard

from ..errors import AppError
from .app import App
from .code import absolute
from .description import thumbnail_of, title_from_name
from .directory import load_directory
from .functions import application_url, is_application, load_application, load_function
from .notebook import load_notebook
from .script import builder, load_script

if TYPE_CHECKING:
    from pathlib import Path

    from bokeh.document import Document

log = logging.getLogger(__name__)

Target = str | os.PathLike[str] | Callable[["Document"], Any] | App | Any
"""A path, a function that fills a document, an Application object, or an app that is loaded already."""


def load(target: Target, *, argv: Sequence[str] = ()) -> App:
    """The app that ``target`` is; ``argv`` are its ``sys.argv[1:]``.

    Raises AppError, one line that names file, line and reason, if there is no app or it does not compile.
    """
    return _titled(_load(target, argv), _name(target))


def load_all(
    targets: Target | Iterable[Target] | Mapping[str, Target] | None = None, *, argv: Sequence[str] = ()
) -> dict[str, App]:
    """Apps by URL: ``/name`` for a file or directory, ``/`` for one function; a mapping's keys are URLs.

    Nothing at all is one empty app at ``/``. Raises AppError, also for two apps at one URL.
    """
    return {url: load_at(url, target, argv) for url, target in place(targets).items()}


def place(targets: Target | Iterable[Target] | Mapping[str, Target] | None = None) -> dict[str, Target]:
    """What is to be served at which URL; nothing is loaded yet. Raises AppError for two at one URL, and for a URL that
    no browser can ask for."""
    placed: dict[str, Target] = {}
    for url, target in _placed(targets):
        if _RESERVED & set(url.split("/")):
            raise AppError(f"{_label(target)}: an app can't have the URL {url}")
        if url in placed:
            raise AppError(f"{_label(placed[url])} and {_label(target)} have the same URL {url}: rename one of them")
        placed[url] = target
    return placed if placed or targets is NO_APPS else {"/": App(_leave_empty, "Empty app")}


NO_APPS: Mapping[str, Target] = MappingProxyType({})
"""Serves no apps at all, only files."""

_RESERVED = {".", "..", "_hotshoe"}
"""Names that can't stand in an app's URL: browsers resolve the first two, the server's own files have the third."""


def load_at(url: str, target: Target, argv: Sequence[str] = ()) -> App:
    """The app that ``target`` is, titled by its URL if by nothing else. Raises AppError as ``load`` does."""
    return titled(_load(target, argv), url, target)


def titled(app: App, url: str, target: Target) -> App:
    """``app`` with a title, if it has none of its own."""
    return _titled(app, url.rpartition("/")[2] or _name(target))


def _placed(targets: Any) -> Iterable[tuple[str, Target]]:
    if targets is None:
        return []
    if isinstance(targets, Mapping):
        return [(_normalised(key), target) for key, target in targets.items()]
    if is_path(targets):
        return [(_url(targets), targets)]
    if isinstance(targets, App) or is_application(targets) or callable(targets):
        return [("/", targets)]
    if isinstance(targets, Iterable):
        return [(_url(target), target) for target in targets]
    raise _no_app(targets)


def _load(target: Target, argv: Sequence[str]) -> App:
    if isinstance(target, App):
        return target
    if is_path(target):
        return _load_path(absolute(target), argv)
    if is_application(target):
        return load_application(target)
    if callable(target) and not isinstance(target, type):
        return load_function(target)
    raise _no_app(target)


def _load_path(path: Path, argv: Sequence[str]) -> App:
    if path.is_dir():
        return load_directory(path, argv)
    if not path.is_file():
        raise AppError(f"{path}: {'no regular file' if path.exists() else 'no such file or directory'}")
    match path.suffix:
        case ".py":
            if path.name == "main.py":
                log.warning("%s: name the directory instead to get its hooks, theme and template", path)
            program, about = load_script(path, argv)
        case ".ipynb":
            program, about = load_notebook(path, argv)
        case _:
            raise AppError(f"{path}: no app: expected a .py script, an .ipynb notebook or a directory")
    return App(builder(program), about.title, about.text, thumbnail=thumbnail_of(path), source=path)


def _leave_empty(document: Document) -> None:
    """The app that is served when none is named: for clients that push their document."""


def _titled(app: App, name: str) -> App:
    return app if app.title else replace(app, title=title_from_name(name) or "App")


def is_path(target: Any) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(target, str | os.PathLike)


def _name(target: Target) -> str:
    if is_path(target):
        path = absolute(target)
        return path.name if path.is_dir() else path.stem
    name = str(getattr(target, "__name__", ""))
    return "" if name == "<lambda>" else name


def _url(target: Target) -> str:
    if not is_path(target) and is_application(target):
        return application_url(target)
    return _normalised(_name(target))


def _normalised(url: Any) -> str:
    if not isinstance(url, str):
        raise AppError(f"{url!r}: an app's URL must be a string")
    return "/" + url.strip("/")


def _label(target: Target) -> str:
    return str(target) if is_path(target) else str(getattr(target, "__qualname__", repr(target)))


def _no_app(target: object) -> AppError:
    return AppError(f"{target!r}: no app: expected a path, a function of (doc) or an Application object")
