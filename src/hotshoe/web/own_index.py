"""An index that the operator has written: a template of Tornado, as ``bokeh serve --index`` takes it.

The template is the operator's, so it may do anything; the names that it is given are stock's, and some of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..hosts.host import AppInfo
from .answers import NO_STORE, Answer
from .gatekeeper import Visitor
from .requests import Scope, request_of
from .routes import normalized_prefix, thumbnail_path, to_app


@dataclass(frozen=True, slots=True)
class Entry:
    """An app as the template sees it."""

    url: str
    title: str
    description: str
    href: str
    """The way from the index to the app, right behind any proxy."""
    thumbnail: str | None
    """The way to its picture, if it has one."""


class OwnIndex:
    """The template in ``file``; ``fresh`` reads it again for each page. Raises ``ConfigError`` if there is none."""

    def __init__(self, file: str, *, prefix: str, fresh: bool = False) -> None:
        self._file = Path(file).absolute()
        self._prefix = normalized_prefix(prefix)
        self._fresh = fresh
        self._template = self._load()

    def answer(self, scope: Scope, apps: Iterable[AppInfo], visitor: Visitor) -> Answer:
        """The page. What the template raises goes through."""
        template = self._load() if self._fresh else self._template
        return Answer(template.generate(**self._names(scope, apps, visitor)), headers=NO_STORE)

    def _load(self) -> Any:
        # tornado comes with bokeh, but nothing else here needs it.
        from tornado.template import Loader, ParseError

        try:
            return Loader(str(self._file.parent)).load(self._file.name)
        except OSError as error:
            raise ConfigError(f"--index: {error.filename or self._file} can't be read: {error.strerror}") from error
        except ParseError as error:
            where = f"{self._file.parent / (error.filename or self._file.name)}:{error.lineno}"
            raise ConfigError(f"--index: {where}: {error.message}") from error
        except (SyntaxError, UnicodeDecodeError) as error:  # of the Python in it
            raise ConfigError(f"--index: {self._file}: {error}") from error

    def _names(self, scope: Scope, apps: Iterable[AppInfo], visitor: Visitor) -> dict[str, Any]:
        request, entries = request_of(scope), sorted(apps, key=lambda app: app.url)
        prefix = request.root_path.rstrip("/") + self._prefix
        return {
            "prefix": prefix,
            "items": [app.url for app in entries],
            "apps": [_entry(app, request.path) for app in entries],
            "request": request,
            "current_user": visitor.name or None,
            "login_url": visitor.login,
            "logout_url": visitor.logout,
            "static_url": lambda path: f"{prefix}/static/{path}",
            "_": _untranslated,
        }


def _entry(app: AppInfo, index: str) -> Entry:
    thumbnail = to_app(index, thumbnail_path(app.url)) if app.thumbnail else None
    return Entry(app.url, app.title, app.description, to_app(index, app.url), thumbnail)


def _untranslated(text: str, plural: str | None = None, count: int | None = None) -> str:
    return text if plural is None or count == 1 else plural
