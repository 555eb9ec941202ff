"""Bokeh apps as one ASGI app, for any ASGI server, or mounted in another app."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..apps import Target
from ..config import Settings
from ..hosts.inline import InlineHost
from ..hosts.reloading import load_apps
from ..pages.assets import OWN_STATIC, STATIC
from .answers import Receive, Scope, Send
from .front import Front
from .guard import Guard
from .sites import Site

if TYPE_CHECKING:
    from bokeh.document import Document


class Asgi:
    """An ASGI callable. It starts and stops with the server's lifespan, or that of a framework (``lifespan``).

    Where it hears of none, it starts with its first request and stops when the loop ends.
    """

    def __init__(self, host: InlineHost, front: Front) -> None:
        self._host = host
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self._front(scope, receive, send)

    @property
    def front(self) -> Front:
        """The front that serves."""
        return self._front

    @contextlib.asynccontextmanager
    async def lifespan(self, site: object = None) -> AsyncIterator[None]:
        """Start, and stop at the end; ``FastAPI(lifespan=apps.lifespan)``, or within a lifespan of the site's own.

        Frameworks do not pass theirs on to what they mount.
        """
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Run the load hooks on the running loop; only needed to have that done before the first request."""
        await self._front.start()

    async def stop(self) -> None:
        """Close all websockets and end all sessions; for mounts that are sent no lifespan."""
        await self._front.stop()

    async def update_sessions(self, app_path: str, update: Callable[[Document], Awaitable[None] | None]) -> None:
        """Call ``update(document)`` for each live session of the app, its document locked.

        Returns when all calls have ended, and raises the first error among them.
        """
        await self._host.update_sessions(app_path, update)


def asgi(apps: Target | Iterable[Target] | Mapping[str, Target] | None = None, *,
         settings: Settings | None = None, auth: Any = None, authorize: Callable[..., Any] | None = None,
         **overrides: Any) -> Asgi:
    """Serve ``apps`` (paths, functions of a document, Applications; a mapping's keys are URLs).

    ``auth`` knows the users: a value of ``--auth``, the path of an auth module, a ``Provider``, or an object like
    bokeh's ``AuthPolicy`` or ``AuthProvider``; without it, it is the framework around. ``authorize(user, app)`` says
    whether one may open the app at a URL. ``overrides`` are settings by name. Raises ``AppError`` for what is no app,
    ``ConfigError`` for a wrong setting.
    """
    chosen = (Settings() if settings is None else settings).replace(**overrides)
    return served(apps, chosen, Guard(auth, authorize, mounted=True))


def served(apps: Any, settings: Settings, guard: Guard, site: Site | None = None) -> Asgi:
    """The apps on a host of this process, in ``site`` if there is one. Raises as ``asgi`` does."""
    loaded, sources = load_apps(apps, settings)
    host = InlineHost(loaded, settings, sources=sources, static=STATIC if site is None else OWN_STATIC)
    return Asgi(host, Front(host, settings=settings, guard=guard, site=site))
