"""Bokeh apps as one ASGI app, for any ASGI server, or mounted in another app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..apps import Target
from ..config import Settings
from ..hosts.inline import InlineHost
from ..hosts.reloading import load_apps
from .answers import Receive, Scope, Send
from .front import Front
from .guard import Guard

if TYPE_CHECKING:
    from bokeh.document import Document


class Asgi:
    """An ASGI callable. It starts with the server's lifespan, or with its first request where a mount has none."""

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
    loaded, sources = load_apps(apps, chosen)
    host = InlineHost(loaded, chosen, sources=sources)
    return Asgi(host, Front(host, settings=chosen, guard=Guard(auth, authorize, mounted=True)))
