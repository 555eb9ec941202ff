"""Registry of the Flask and Django extensions of this process, which decide who may open a server's apps.

An extension stands for a login. If a server overlooked it, its apps would be open to everybody. So each extension
declares itself when it is made, and no server starts while an extension exists that no server asks. Only ``guard=``
changes that: it names the extension to ask, or says that none is asked.
"""

from __future__ import annotations

import gc
import inspect
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary, WeakSet

from ...base.errors import ConfigError

_MOST_WITHIN = 500
_DJANGO_EXTENSION = "hotshoe.integrations.django.apps"
_REMEDY = ("name it, as in hotshoe.wrap(site, apps, guard=bokeh), or give hotshoe.wrap or --wsgi the Flask or Django "
           "app itself (middleware goes around app.wsgi_app); guard=None serves apps that no extension guards")


@runtime_checkable
class Joined(Protocol):
    """An extension of a site, such as Flask's, which has the apps. A site has it as ``extensions["hotshoe"]``."""

    @property
    def apps(self) -> Mapping[str, Any]:
        """The apps that the site brings, by URL below the site's own root."""

    def join(self, urls: list[str]) -> None:
        """Take the URLs of all apps, before the first request, and again when one more app is served. From then on the
        site is asked about each of them.
        """


class Search(Enum):
    """The value of ``guard=`` if it is not given."""

    IN_SITE = "the extension that is found in the site"


# Weak: an extension that is no longer used disappears by itself.
_lock = threading.Lock()
_waiting: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_claimed: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_without_site: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_open_servers: WeakSet[JoinCheck] = WeakSet()


def declare(extension: Joined, name: str) -> None:
    """Register a new extension. Raises ``ConfigError`` if a server has started without one."""
    with _lock:
        if _open_servers:
            raise ConfigError(f"{name} is made too late: a server of this process has started and would not ask it who "
                              "may open the apps. Make it before the server starts; guard=None there serves apps that "
                              "no extension guards")
        _waiting[extension] = name


def declare_without_site(extension: object, name: str) -> None:
    """Register a new extension that gets its site later; until then no server can ask it."""
    with _lock:
        _without_site[extension] = name


def remove_without_site(extension: object) -> None:
    """The extension has its site now, and declares itself there."""
    with _lock:
        _without_site.pop(extension, None)


def check_asking(site: Any) -> None:
    """Raise ``ConfigError`` for a Django site with our extension that is served by Django's own application, which
    would not ask the extension.

    The Django extension does not declare itself, because this module's imports would slow down management commands.
    """
    handlers = sys.modules.get("django.core.handlers.base")
    if handlers is None or _DJANGO_EXTENSION not in sys.modules:
        return
    if any(isinstance(each, handlers.BaseHandler) for each in _within(site)):
        raise ConfigError("Django's own application does not ask who may open the apps: serve the application from "
                          "get_asgi_application of hotshoe.integrations.django, as in --wsgi "
                          "project.asgi:application; guard=None serves apps that no extension guards")


def claim(extension: Joined) -> None:
    """Register that a server asks the extension, once the server has started."""
    with _lock:
        if (name := _waiting.pop(extension, None)) is not None:
            _claimed[extension] = name


def check_joined(*, has_site: bool = False) -> None:
    """Raise ``ConfigError`` if there is an extension that no server asks.

    ``has_site``: the server has a site, in which no extension was found. Then extensions without a site count, too, and
    those that another server asks: the other server may never start, and this site may contain the same extension.
    """
    if not _names(has_site):
        return
    gc.collect()  # sites are full of reference cycles, so an unused one may still be there
    if names := _names(has_site):
        raise ConfigError(f"{names[0]} exists, but this server would not ask it who may open the apps: {_REMEDY}")


def _names(has_site: bool) -> list[str]:
    with _lock:
        return [*_waiting.values(), *((*_without_site.values(), *_claimed.values()) if has_site else ())]


class JoinCheck:
    """The first part of a server to start. It fails while an extension exists that no server asks."""

    def __init__(self, joined: Joined | None, *, has_site: bool) -> None:
        self._joined = joined
        self._has_site = has_site

    async def start(self) -> None:
        """Check. Raises ``ConfigError``."""
        check_joined(has_site=self._has_site and self._joined is None)
        if self._joined is None:
            with _lock:
                _open_servers.add(self)

    async def stop(self) -> None:
        """The server has stopped."""
        with _lock:
            _open_servers.discard(self)


def named(guard: Any) -> Joined:
    """The extension that ``guard=`` names: itself, or the one of a site. Raises ``ConfigError``."""
    found = guard if isinstance(guard, Joined) else _of_site(guard)
    if found is None:
        raise ConfigError(f"guard= can't be {guard!r}: give hotshoe's Flask or Django extension, or the app that has "
                          "it")
    return found


def find(site: Any) -> Joined | None:
    """The extension of a site, or the nearest one inside of it; ``None`` if none is found."""
    return next(filter(None, map(_of_site, _within(site))), None)


def _of_site(site: Any) -> Joined | None:
    found: Any = None
    # A site may be a proxy object that raises any exception until the real site exists. If an extension is missed here,
    # check_joined makes startup fail.
    with suppress(Exception):
        found = site.extensions["hotshoe"]
    return found if isinstance(found, Joined) else None


def _within(app: Any) -> Iterator[Any]:
    """An app and the apps inside of it, nearest first, if it is middleware (an object, or a closure).

    Middleware can hide its app from this search; then ``check_joined`` makes startup fail.
    """
    waiting, seen = deque([app]), dict[int, Any]()
    while waiting and len(seen) < _MOST_WITHIN:
        app = waiting.popleft()
        if id(app) not in seen:
            seen[id(app)] = app
            yield app
            waiting.extend(each for each in _held_by(app) if callable(each) and not inspect.isclass(each))


def _held_by(app: Any) -> Iterable[Any]:
    if inspect.ismethod(app):
        return (app.__self__,)
    if isinstance(app, partial):
        return (app.func, *app.args, *app.keywords.values())
    try:
        held = list(vars(app).values())
        return held + [cell.cell_contents for cell in getattr(app, "__closure__", None) or ()]
    except Exception:  # it has no attributes, or is a proxy of an object that does not exist yet
        return ()
