"""The site around the apps: a WSGI or ASGI app of somebody else's, which answers whatever is not ours."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, runtime_checkable

from ..apps import NO_APPS
from ..apps.loading import place
from ..config import Settings
from ..errors import AppError, ConfigError
from .answers import Receive, Scope, Send
from .lifespans import AsgiApp, Lifespan
from .sockets import refuse_text
from .wsgi import asgi_of, load_app

_MOST_WITHIN = 500


@runtime_checkable
class Joined(Protocol):
    """What knows the apps from the site's side: a Flask extension, say. A site has it as ``extensions["hotshoe"]``."""

    @property
    def apps(self) -> Mapping[str, Any]:
        """The apps that the site brings, by URL below the site's own root."""

    def join(self, urls: list[str]) -> None:
        """Hear of all apps, before the first request: from then on the site is asked for each of these URLs."""


class Site:
    """The site as an ASGI app that starts and stops with the server."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._serve: AsgiApp = app if is_asgi(app) else asgi_of(app)
        self._lifespan = Lifespan(app) if self._serve is app else None

    @property
    def joined(self) -> Joined | None:
        """What asks the site who may see its apps; ``None`` if nothing does."""
        for app in _within(self._app):
            found: Any = None
            with suppress(Exception):  # a proxy of something that is not there yet
                found = app.extensions["hotshoe"]
            if isinstance(found, Joined):
                return found
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a websocket."""
        if self._lifespan is None and scope["type"] == "websocket":
            await refuse_text(scope, send, "There is no app at this address", 404)
            return
        if self._lifespan is not None and self._lifespan.state is not None:
            scope = {**scope, "state": self._lifespan.state.copy()}
        await self._serve(scope, receive, send)

    async def start(self) -> None:
        """Run what the site does when its server starts. Raises what that raises."""
        if self._lifespan is not None:
            await self._lifespan.start()

    async def stop(self) -> None:
        """Run what it does at the end."""
        if self._lifespan is not None:
            await self._lifespan.stop()


def site_of(given: Any, settings: Settings) -> Site | None:
    """The site that a program gives, or that the settings name. Raises ``ConfigError``."""
    if given is None and settings.wsgi is None:
        return None
    return Site(load_app(str(settings.wsgi)) if given is None else given)


def apps_of(given: Any, site: Site | None) -> Any:
    """The apps that are given, and those that the site brings; none is none. Raises ``AppError`` for two at one URL."""
    if site is None:
        return given
    placed = {} if given is None or given == [] else place(given)
    brought = place({**site.joined.apps} or NO_APPS) if site.joined is not None else {}
    if both := sorted(placed.keys() & brought.keys()):
        raise AppError(f"the site has an app of its own at {both[0]}: give one of the two another URL")
    return {**placed, **brought} or NO_APPS


def is_asgi(app: Any) -> bool:
    """Whether an app speaks ASGI: a coroutine, or three arguments. Raises ``ConfigError`` for what is no app.

    What takes two as well is middleware of WSGI that passes on whatever it gets.
    """
    if not callable(app) or inspect.isclass(app):
        raise ConfigError(f"the site around the apps can't be {app!r}: give a WSGI app such as a Flask object, or an "
                          "ASGI app")
    if not _takes(app, 2) and not _takes(app, 3):
        hint = "; what makes one is named with parentheses, as in site:make_app()" if _takes(app, 0) else ""
        raise ConfigError(f"{app!r} takes neither the arguments of a WSGI app nor those of an ASGI app{hint}")
    plain = app.func if isinstance(app, partial) else app
    call = plain if inspect.isroutine(plain) else type(plain).__call__
    return inspect.iscoroutinefunction(call) or (_takes(app, 3) and not _takes(app, 2))


def _takes(app: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(app).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # what is written in C may not say
        return True
    return True


def _within(app: Any) -> Iterator[Any]:
    """An app and, nearest first, what it is around where it is middleware: an object, or a function around another.

    What is overlooked here is not asked who may see the apps, so no name of an attribute is relied on.
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
    except Exception:  # it has no attributes, or is a proxy of something that is not there yet
        return ()
