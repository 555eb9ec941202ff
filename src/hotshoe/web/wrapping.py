"""Apps in the middle of somebody else's site, as one ASGI app on one port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..apps import Target
from ..config import Settings
from .asgi import Asgi, served
from .guard import Guard
from .sites import Site, apps_of


def wrap(site: Any, apps: Mapping[str, Target] | Any = None, *, settings: Settings | None = None,
         auth: Any = None, authorize: Callable[..., Any] | None = None, **overrides: Any) -> Asgi:
    """Serve ``apps`` by URL, and ``site`` for all other URLs: a WSGI app (Flask, …), on threads, or an ASGI app.

    What is below an app's URL or ``/_hotshoe/`` is ours; ``/``, ``/static/`` and the rest are the site's. An ASGI site
    is started and stopped with the apps. A Flask app with hotshoe's extension brings apps of its own, and is asked who
    may see them. The other arguments are those of ``hotshoe.asgi``. Raises ``AppError``, ``ConfigError``.
    """
    chosen = (Settings() if settings is None else settings).replace(**overrides)
    around = Site(site)
    return served(apps_of(apps, around), chosen, Guard(auth, authorize), around)
