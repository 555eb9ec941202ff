"""Registry of the Flask and Django extensions of this process, which decide who may open a server's apps.

An extension stands for a login. If a server overlooked it, its apps would be open to everybody. So each extension
declares itself when it is made, and no server starts while an extension exists that no server asks. If one is made
later, the apps of servers that ask none are closed. Only ``guard=`` changes that: it names the extension to ask, or
says that none is asked.
"""

from __future__ import annotations

import gc
import inspect
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary, WeakSet, ref

from ...base.errors import ConfigError

_log = logging.getLogger(__name__)
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


# Weak: an extension or a server that is no longer used disappears by itself.
_lock = threading.Lock()
_declared: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_claims: WeakKeyDictionary[Any, ref[Any]] = WeakKeyDictionary()
"""The extension that a server asks, by the server's site."""
_without_site: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_open_servers: WeakSet[JoinCheck] = WeakSet()


def declare(extension: Joined, name: str) -> None:
    """Register a new extension. If a server has started without one, raises ``ConfigError`` and closes its apps."""
    with _lock:
        if not (servers := list(_open_servers)):
            _declared[extension] = name
            return
    for server in servers:
        server.close_apps(name)
    raise ConfigError(f"{name} is made too late: a server of this process has started and would not ask it who may "
                      "open the apps. Make it before the server starts; guard=None there serves apps that no extension "
                      "guards")


def close_unasked(name: str) -> None:
    """Close the apps of all servers that have a site and ask no extension: a site serves requests that needs one."""
    for server in list(_open_servers):
        if server.has_site:
            server.close_apps(name)


def declare_without_site(extension: object, name: str) -> None:
    """Register a new extension that gets its site later; until then no server can ask it."""
    with _lock:
        _without_site[extension] = name


def remove_without_site(extension: object) -> None:
    """The extension has its site now, and declares itself there."""
    with _lock:
        _without_site.pop(extension, None)


def check_django() -> None:
    """Raise ``ConfigError`` if there is a Django site with our extension and Django's own application, which would
    not ask the extension.

    The Django extension does not declare itself, because this module's imports would slow down management commands.
    Middleware may hide Django's application, so it is searched among all objects.
    """
    modules = [sys.modules.get(f"django.core.handlers.{name}") for name in ("asgi", "wsgi")]
    kinds = tuple(getattr(module, name) for module, name in zip(modules, ("ASGIHandler", "WSGIHandler"), strict=True)
                  if module is not None)
    if not kinds or _DJANGO_EXTENSION not in sys.modules:
        return
    gc.collect()
    if any(issubclass(type(each), kinds) for each in gc.get_objects()):
        raise ConfigError("Django's own application does not ask who may open the apps: serve the application from "
                          "get_asgi_application of hotshoe.integrations.django, as in --wsgi "
                          "project.asgi:application; guard=None serves apps that no extension guards")


def claim(extension: Joined, site: object) -> None:
    """Register that the server with this ``site`` asks the extension, once the server has started."""
    with _lock:
        _claims[site] = ref(extension)


def check_joined(*, has_site: bool = False) -> None:
    """Raise ``ConfigError`` if there is an extension that no server asks.

    ``has_site``: the server has a site, in which no extension was found. Then extensions without a site count, too, and
    those that another server asks: the other server may never start, and this site may contain the same extension.
    """
    if not _declared and not _without_site:
        return
    gc.collect()  # sites are full of reference cycles, so an unused one may still be there, or its server
    if names := _names(has_site):
        raise ConfigError(f"{names[0]} exists, but this server would not ask it who may open the apps: {_REMEDY}")


def _names(has_site: bool) -> list[str]:
    with _lock:
        if has_site:
            return [*_declared.values(), *_without_site.values()]
        asked = {id(claim()) for claim in _claims.values()}
        return [name for extension, name in _declared.items() if id(extension) not in asked]


class JoinCheck:
    """The first part of a server to start. It fails while an extension exists that no server asks.

    If one is made later, it calls ``close_apps`` with the reason, in any thread. An empty reason opens the apps again.
    """

    def __init__(self, joined: Joined | None, *, has_site: bool, close_apps: Callable[[str], None]) -> None:
        self._joined = joined
        self.has_site = has_site
        """Whether the server has a site around its apps."""
        self._close_apps = close_apps
        self._is_closed = False

    async def start(self) -> None:
        """Check. Raises ``ConfigError``."""
        self._is_closed = False
        self._close_apps("")
        if self._joined is not None:
            check_joined()
            return
        with _lock:  # before the check, as another thread may make an extension
            _open_servers.add(self)
        try:
            check_joined(has_site=self.has_site)
            if self.has_site:
                check_django()
        except ConfigError:
            await self.stop()
            raise

    def close_apps(self, name: str) -> None:
        """Let nobody open an app any more, as there is an extension now that this server would not ask."""
        if self._is_closed:
            return
        self._is_closed = True
        _log.error("All apps are closed (status 503): %s was made after this server had started, so it would not be "
                   "asked who may open them. Make it before the server starts, or give the server guard=None", name)
        self._close_apps("This app is closed until the server is started again with its site's login.")

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
