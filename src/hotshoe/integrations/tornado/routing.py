"""Which requests of a Tornado application are the apps', and the handlers that answer them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import RequestHandler

from ...apps import Target
from ...errors import ConfigError
from ...web.asgi import Asgi, asgi
from ...web.routes import below, normalized_prefix
from .mounting import Mount, UserOf
from .pages import AppRequest
from .sockets import AppSocket


def routes(apps: Asgi | Target | Iterable[Target] | Mapping[str, Target], *, prefix: str = "",
           user: UserOf | None = None, handler: type[RequestHandler] | None = None, **more: Any) -> list[Rule]:
    """Rules for ``tornado.web.Application`` that serve ``apps`` and all that they need below ``prefix``.

    ``apps`` is what ``hotshoe.asgi`` takes, with ``more`` arguments of it, or what it gives: keep that to ``start``
    the apps before the first request, and to ``stop`` them before the loop stops. Without a prefix the rules answer
    every path, so they come last.

    The user is what ``user(handler)`` returns or, by default, the handler's ``current_user``: give the site's own
    ``handler`` class, whose ``get_current_user`` and ``prepare`` then are asked. ``None`` is nobody. Raises as
    ``hotshoe.asgi``.
    """
    if isinstance(apps, Asgi) and more:
        raise ConfigError(f"{', '.join(more)}: give that to hotshoe.asgi, which has made the apps")
    app = apps if isinstance(apps, Asgi) else asgi(apps, **more)
    return rules(Mount(app, normalized_prefix(prefix), app.front.settings, user), handler)


def rules(mount: Mount, handler: type[RequestHandler] | None = None) -> list[Rule]:
    """One rule for websockets, one for all else; both handlers are the site's ``handler`` too."""
    site = () if handler is None or handler is RequestHandler else (handler,)
    return [
        Rule(_Below(mount.path, upgrades=True), type("AppSocket", (AppSocket, *site), {"mount": mount})),
        Rule(_Below(mount.path, upgrades=False), type("AppRequest", (AppRequest, *site), {"mount": mount})),
    ]


class _Below(Matcher):
    def __init__(self, path: str, *, upgrades: bool) -> None:
        self._path = path
        self._upgrades = upgrades

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        asks = request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"
        is_ours = asks is self._upgrades and below(unquote(request.path), self._path) is not None
        return {} if is_ours else None
