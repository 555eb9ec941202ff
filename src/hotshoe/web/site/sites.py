"""The site around the apps: a WSGI or ASGI app of the user, which serves all URLs that are not ours."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...base.errors import ConfigError, SiteError
from ...config import Settings
from ...http.responses import refuse_text
from ...http.scopes import AsgiApp, Receive, Scope, Send
from .extensions import Joined, Search, check_django, check_joined, claim, find, named
from .guards import is_function
from .wsgi import asgi_of, load_app

_log = logging.getLogger(__name__)


class Site:
    """The site as an ASGI app that starts and stops with the server."""

    def __init__(self, app: Any, guard: Any = Search.IN_SITE) -> None:
        """``guard`` is the extension that decides who may open the apps; ``None`` for none. Raises ``ConfigError``.

        If it is a function, the server asks that, and the site must not have an extension.
        """
        self._app = app
        self._guard = Search.IN_SITE if is_function(guard) else guard
        self._known: Joined | None = None
        self._serve: AsgiApp = app if is_asgi(app) else asgi_of(app)
        self._lifespan = Lifespan(app) if self._serve is app else None

        if self._guard is not guard and find(app) is not None:
            raise ConfigError("this site has hotshoe's extension, which decides who may open the apps: leave out the "
                              "function guard=")
        if self._guard is Search.IN_SITE and self.joined is None:
            check_joined(has_site=True)
            check_django()

    @property
    def joined(self) -> Joined | None:
        """The extension that decides who may open the apps; ``None`` if there is none."""
        if self._known is None and self._guard is not None:
            self._known = find(self._app) if self._guard is Search.IN_SITE else named(self._guard)
            if self._known is not None:
                claim(self._known, self)
        return self._known

    @property
    def apps(self) -> Mapping[str, Any]:
        """The apps that the site brings, by URL."""
        return {} if self.joined is None else self.joined.apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a websocket."""
        if self._lifespan is None and scope["type"] == "websocket":
            await refuse_text(scope, send, "There is no app at this address", 404)
            return
        if self._lifespan is not None and self._lifespan.state is not None:
            scope = {**scope, "state": self._lifespan.state.copy()}
        await self._serve(scope, receive, send)

    async def start(self) -> None:
        """Run the site's startup. Raises its exception."""
        if self._lifespan is not None:
            await self._lifespan.start()

    async def stop(self) -> None:
        """Run the site's shutdown."""
        if self._lifespan is not None:
            await self._lifespan.stop()


class Lifespan:
    """Runs the lifespan of an ASGI app, as a server does. An app without lifespan support is served, too."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.state: dict[str, Any] | None = None
        """The app's lifespan state; each request gets a copy."""
        self._events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._last = ""
        """The type of the app's last event."""

    async def start(self) -> None:
        """Start the app, and return when it has started. Raises ``SiteError`` if it fails."""
        self._events, self._answers, self.state, self._last = asyncio.Queue(), asyncio.Queue(), {}, ""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.create_task(self._run(scope))
        await self._say("startup")

    async def stop(self) -> None:
        """Shut the app down, and return when it has ended."""
        if self._task is not None and not self._task.done():
            await self._say("shutdown")
            await asyncio.wait([self._task])
        self._task = None

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._events.get, self._hear)
        except Exception as error:
            if self._last == "lifespan.startup.complete":
                _log.exception("The lifespan of the site around the apps failed")
            # ASGI: an app that raises before its first event does not support the protocol.
            self._answers.put_nowait({"type": "raised", "message": str(error)})
        else:
            self._answers.put_nowait({"type": "ended"})

    async def _hear(self, answer: Any) -> None:
        self._last = answer["type"]
        self._answers.put_nowait(answer)

    async def _say(self, what: str) -> None:
        self._events.put_nowait({"type": f"lifespan.{what}"})
        answer = await self._answers.get()
        if answer["type"] == f"lifespan.{what}.failed":
            raise SiteError(f"the site around the apps failed in its {what}: {answer.get('message', '')}")


def site_of(given: Any, settings: Settings, guard: Any = Search.IN_SITE) -> Site | None:
    """The site of a program's argument or of the settings. Raises ``ConfigError``."""
    if given is not None or settings.wsgi is not None:
        return Site(load_app(str(settings.wsgi)) if given is None else given, guard)
    if guard is not None and guard is not Search.IN_SITE and not is_function(guard):
        raise ConfigError("guard= names an extension, but there is no site to ask: give the site, too")
    return None


def is_asgi(app: Any) -> bool:
    """Whether an app is ASGI: a coroutine function, or one of three arguments. Raises ``ConfigError`` if it is no app.

    A function that also accepts two arguments is WSGI middleware with ``*args``.
    """
    if not callable(app) or inspect.isclass(app):
        raise ConfigError(f"the site around the apps can't be {app!r}: give a WSGI app such as a Flask object, or an "
                          "ASGI app")
    if not _takes(app, 2) and not _takes(app, 3):
        hint = "; a function that makes the app is named with parentheses: site:make_app()" if _takes(app, 0) else ""
        raise ConfigError(f"{app!r} takes neither the arguments of a WSGI app nor those of an ASGI app{hint}")
    plain = app.func if isinstance(app, partial) else app
    call = plain if inspect.isroutine(plain) else type(plain).__call__
    return inspect.iscoroutinefunction(call) or (_takes(app, 3) and not _takes(app, 2))


def _takes(app: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(app).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # functions written in C may have no signature
        return True
    return True
