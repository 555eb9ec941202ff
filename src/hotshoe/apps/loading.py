"""Loads apps and gives them their URLs: from paths, functions and Application objects."""

from __future__ import annotations

import io
import logging
import os
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeGuard

from ..base.errors import AppError
from ..http.paths import normalized_url
from .app import App, thumbnail_of, title_from_name
from .directory import load_directory
from .functions import (
    application_origin,
    application_url,
    function_origin,
    is_application,
    load_application,
    load_function,
)
from .notebook import load_notebook, to_script
from .script import absolute, builder, load_script, read

if TYPE_CHECKING:
    from pathlib import Path

    from bokeh.document import Document

log = logging.getLogger(__name__)

Target = str | os.PathLike[str] | Callable[["Document"], Any] | App | Any
"""A path, a function that fills a document, an Application object, or a loaded app."""


def load(target: Target, *, argv: Sequence[str] = ()) -> App:
    """Load an app; ``argv`` is its ``sys.argv[1:]``.

    Raises AppError, one line with file, line and reason, if there is no app or it does not compile.
    """
    return load_at("", target, argv)


LoadCall = Callable[[str, Callable[[], App]], App]
"""Calls a function that loads the app at a URL, on the thread where the app's code runs, and returns its result."""


def directly(url: str, load: Callable[[], App]) -> App:
    """Call it here: a ``LoadCall``."""
    return load()


def load_all(
    targets: Target | Iterable[Target] | Mapping[str, Target] | None = None, *, argv: Sequence[str] = (),
    call: LoadCall = directly,
) -> dict[str, App]:
    """Load apps. Returns them by URL: ``/name`` for a file or directory, ``/`` for a function, or a mapping's keys.

    Without targets there is one empty app at ``/``. Raises AppError, also for two apps at one URL.
    """
    return {url: call(url, partial(load_at, url, target, argv)) for url, target in place(targets).items()}


def place(targets: Target | Iterable[Target] | Mapping[str, Target] | None = None) -> dict[str, Target]:
    """The targets by URL, not loaded. Raises AppError for two at one URL, and for a URL that browsers can't request."""
    placed: dict[str, Target] = {}
    for url, target in _placed(targets):
        if _RESERVED & set(url.split("/")):
            raise AppError(f"{_label(target)}: an app can't have the URL {url}")
        if not _is_utf8(url):  # the name of a file may be any bytes
            raise AppError(f"{_label(target)!r}: an app can't have the URL {url!r}, which is not UTF-8: rename it")
        if url in placed:
            raise AppError(_conflict(_label(placed[url]), _label(target), url))
        placed[url] = target
    return placed if placed or targets is NO_APPS else {"/": App(_leave_empty, "Empty app")}


def with_apps_of_site(given: Any, of_site: Mapping[str, Target]) -> Mapping[str, Target]:
    """The apps that a server is given, and the apps of the site around them; there may be no app at all.

    Raises ``AppError`` for two apps at one URL.
    """
    own = {} if given is None or given == [] else place(given)
    of_site = place({**of_site} or NO_APPS)
    if both := sorted(own.keys() & of_site.keys()):
        raise AppError(f"the site has an app of its own at {both[0]}: give one of the two another URL")
    return {**own, **of_site} or NO_APPS


NO_APPS: Mapping[str, Target] = MappingProxyType({})
"""For a server of files only, without apps."""

_RESERVED = {".", "..", "_hotshoe"}
"""Names that an app's URL cannot contain: browsers resolve the first two, the third is for the server's own files."""


def load_at(url: str, target: Target, argv: Sequence[str] = ()) -> App:
    """Load the app for a URL, which gives it a title if it has none. Raises AppError as ``load`` does."""
    return titled(_load(target, argv), url, target)


def titled(app: App, url: str, target: Target) -> App:
    """``app`` with its origin and a title: its own, else one from the URL, else one from the target's name."""
    name = url.rpartition("/")[2] or _name(target)
    title, origin = app.title or title_from_name(name) or "App", app.origin or _origin(target)
    return app if (title, origin) == (app.title, app.origin) else replace(app, title=title, origin=origin)


def _origin(target: Target) -> str:
    if is_path(target):
        return str(absolute(target))
    if is_application(target):
        return application_origin(target)
    return "" if isinstance(target, App) else function_origin(target)


def _placed(targets: Any) -> Iterable[tuple[str, Target]]:
    if targets is None:
        return []
    if isinstance(targets, Mapping):
        return [(normalized_url(key), target) for key, target in targets.items()]
    if is_path(targets):
        return [(_url(targets), targets)]
    if isinstance(targets, App) or is_application(targets) or callable(targets):
        return [("/", targets)]
    if isinstance(targets, Iterable):
        return [(_url(target), target) for target in targets]
    raise _not_an_app(targets)


def _load(target: Target, argv: Sequence[str]) -> App:
    if isinstance(target, App):
        return target
    if is_path(target):
        return _load_path(absolute(target), argv)
    if is_application(target):
        return load_application(target)
    if callable(target) and not isinstance(target, type):
        return load_function(target)
    raise _not_an_app(target)


def _load_path(path: Path, argv: Sequence[str]) -> App:
    if path.is_dir():
        return load_directory(path, argv)
    if not path.is_file():
        raise AppError(f"{path}: {'not a regular file' if path.exists() else 'no such file or directory'}")
    match path.suffix:
        case ".py":
            if path.name == "main.py":
                log.warning("%s: name the directory instead to get its hooks, theme and template", path)
            program, about = load_script(path, argv)
        case ".ipynb":
            program, about = load_notebook(path, argv)
        case _:
            raise AppError(f"{path}: not an app: expected a .py script, an .ipynb notebook or a directory")
    return App(builder(program), about.title, about.text, thumbnail=thumbnail_of(path), source=path)


def _leave_empty(document: Document) -> None:
    """The default app is empty: for clients that push their document."""


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
    return normalized_url(_name(target))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _conflict(one: str, other: str, url: str) -> str:
    if one == other:
        return f"{one} is given twice for the URL {url}: leave one out"
    return f"{one} and {other} have the same URL {url}: rename one of them"


def _label(target: Target) -> str:
    return str(target) if is_path(target) else str(getattr(target, "__qualname__", repr(target)))


def _not_an_app(target: object) -> AppError:
    return AppError(f"{target!r}: not an app: expected a path, a function of (doc) or an Application object")


def source_text(path: Path) -> str:
    """The text of a script, or of a notebook as a script, with ``\\n`` as line ends. Raises AppError."""
    if path.suffix == ".ipynb":
        return to_script(path)
    source = read(path)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeDecodeError) as error:
        raise AppError(f"{path}: can't be read: {error}") from error
