"""Bokeh apps as one ASGI app, for any ASGI server, or mounted in another app."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..base.errors import ConfigError
from ..config import Settings
from ..hosts import Host, Target
from ..hosts.factory import make_host
from ..http.scopes import Receive, Scope, Send
from .front import Front
from .gate.auth_options import AuthOptions, settings_of
from .site.extensions import Search
from .site.guards import is_function
from .site.sites import Site

if TYPE_CHECKING:
    from bokeh.document import Document


class Asgi:
    """An ASGI callable. It starts and stops with the server's lifespan, or with a framework's (``lifespan``).

    Without either, it starts with its first request and stops when the loop ends.
    """

    def __init__(self, host: Host, front: Front) -> None:
        self._host = host
        self.front = front
        """The front that serves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self.front(scope, receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(self, site: object = None) -> AsyncIterator[None]:
        """Start, and stop at the end. Use it as ``FastAPI(lifespan=apps.lifespan)``, or in the site's own lifespan.

        Frameworks do not pass their lifespan on to the apps that they mount.
        """
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Run the load hooks on the running loop. Call it so that they run before the first request."""
        await self.front.start()

    async def stop(self) -> None:
        """Close all websockets and end all sessions. Call it if there is no lifespan."""
        await self.front.stop()

    async def update_sessions(self, app_path: str, update: Callable[[Document], Awaitable[None] | None]) -> None:
        """Call ``update(document)`` for each live session of the app, its document locked.

        Returns when all calls have ended, and raises the first error among them.
        """
        await self._host.update(app_path, update)

    async def serve_app(self, url: str, target: Target) -> None:
        """Serve one more app while the server runs, or replace the app at ``url``.

        Logins and rules apply to it, too. Raises ``AppError`` if ``target`` is no app, and ``ConfigError`` if no app
        can be at this URL.
        """
        await self.front.serve_app(url, target)

    async def withdraw_app(self, url: str) -> None:
        """Stop serving an app: its sessions end, and its pages get status 404. Raises ``RequestError`` for no app."""
        await self.front.withdraw_app(url)


def asgi(apps: Target | Iterable[Target] | Mapping[str, Target] | None = None, *,
         settings: Settings | None = None, auth: Any = None, authorize: Callable[..., Any] | None = None,
         guard: Any = Search.IN_SITE, **overrides: Any) -> Asgi:
    """Serve ``apps`` (paths, functions of a document, Applications; a mapping's keys are URLs).

    ``auth`` knows the users: a value of ``--auth``, the path of an auth module, a ``Provider``, or an object like
    bokeh's ``AuthPolicy`` or ``AuthProvider``. Without it, the framework around knows them. ``authorize(user, app)``
    tells whether a user may open the app at a URL. ``guard(request)`` is asked for everything of an app, websockets
    included, with the request of the app's page: it returns the user or ``True``, or raises Starlette's
    ``HTTPException``. If the process has a site with hotshoe's extension, startup fails, as these apps would not be
    guarded by it; ``guard=None`` allows that. ``overrides`` are settings by name. Raises ``AppError`` if an app can't
    be loaded, ``ConfigError`` for a wrong setting.
    """
    chosen = settings_of(settings, auth, overrides)
    if guard is not None and guard is not Search.IN_SITE and not is_function(guard):
        raise ConfigError("guard= names an extension, but there is no site to ask: use hotshoe.wrap")
    return make_asgi(apps, chosen, AuthOptions(auth, authorize, mounted=True, extension=guard))


def make_asgi(apps: Any, settings: Settings, auth_options: AuthOptions, site: Site | None = None) -> Asgi:
    """Make the apps' host and front, within ``site`` if there is one. Raises the errors of ``asgi``."""
    host = make_host(apps, settings, of_site=None if site is None else site.apps)
    return Asgi(host, Front(host, settings=settings, auth_options=auth_options, site=site))


def wrap(site: Any, apps: Mapping[str, Target] | Any = None, *, settings: Settings | None = None,
         auth: Any = None, authorize: Callable[..., Any] | None = None, guard: Any = Search.IN_SITE,
         **overrides: Any) -> Asgi:
    """Serve ``apps`` by URL, and ``site`` for all other URLs: a WSGI app (Flask, …), on threads, or an ASGI app.

    URLs below an app's URL or ``/_hotshoe/`` are ours; ``/``, ``/static/`` and all others are the site's. An ASGI site
    starts and stops with the apps. A Flask app with hotshoe's extension brings its own apps, and decides who may see
    them; ``guard`` names the extension if other middleware hides it, and ``None`` asks no extension. For other sites,
    ``guard`` may be a function, as for ``hotshoe.asgi``, whose other arguments are the same. Raises ``AppError``,
    ``ConfigError``.
    """
    chosen = settings_of(settings, auth, overrides)
    around = Site(site, guard)
    return make_asgi(apps, chosen, AuthOptions(auth, authorize, extension=guard), around)
