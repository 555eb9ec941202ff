"""A plugin for pytest: Panel's own tests of a running server meet hotshoe, behind the interface of ``panel.serve``.

Panel's routes in Tornado's terms (static folders, liveness, REST) are answered by Tornado's own code, before hotshoe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import panel.io.server
import panel.tests.util
import stock_suite  # type: ignore[import-not-found]  # loaded by its name, as this is
from bokeh.server.auth_provider import NullAuth
from starlette.requests import Request
from tornado.web import Application

from hotshoe.auth.module.tornado_handlers import _Connection, _request
from hotshoe.server import service
from hotshoe.web.front import Front
from hotshoe.web.gate.auth_options import AuthOptions


class TornadoRoutes:
    """Tornado's routes, run by Tornado, on hotshoe's connections."""

    def __init__(self, patterns: list[Any], options: dict[str, Any]) -> None:
        prefix = "/".join(["", *filter(None, options.get("prefix", "").split("/"))]).rstrip("/")
        site: Any = Application(
            [(prefix + pattern if pattern.startswith("/") else pattern, *rest) for pattern, *rest in patterns],
            cookie_secret=options.get("cookie_secret"), log_function=lambda handler: None)
        site.auth_provider = options.get("auth_provider") or NullAuth()
        site.prefix = prefix
        self._application = site

    async def answer(self, scope: Any, receive: Any, send: Any) -> bool:
        """Whether one of the routes is meant; then it has been answered."""
        request = Request(scope, receive)
        found = self._application.find_handler(_request(request, b""))
        if found.handler_class is None or found.handler_class.__name__ == "ErrorHandler":
            return False
        asked = _request(request, await request.body())
        handler = found.handler_class(self._application, asked, **found.handler_kwargs)
        await handler._execute([], *found.path_args, **found.path_kwargs)
        assert isinstance(asked.connection, _Connection)
        await asked.connection.response()(scope, receive, send)
        return True


@dataclass(frozen=True, slots=True)
class RoutedOptions(AuthOptions):
    """Brings the routes to the front, which is made when the server starts."""

    routes: TornadoRoutes | None = None


class RoutedFront(Front):
    """Asks the routes first."""

    def __init__(self, host: Any, *, auth_options: AuthOptions, **more: Any) -> None:
        self._tornado_routes: TornadoRoutes | None = getattr(auth_options, "routes", None)
        super().__init__(host, auth_options=auth_options, **more)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        routes = self._tornado_routes
        if routes is None or scope["type"] != "http" or not await routes.answer(scope, receive, send):
            await super().__call__(scope, receive, send)


class PanelServer(stock_suite.StockServer):  # type: ignore[misc]
    """What ``panel.io.server.get_server`` makes: it serves whenever its loop runs, started or not."""

    def __init__(self, applications: Any, **options: Any) -> None:
        self.applications = applications
        self.websocket_origins: set[str] = set()  # to be added to; here a page's own origin is admitted anyway
        self._stopped = False
        if options.get("index") == panel.io.server.INDEX_HTML:
            del options["index"]  # it needs names that Panel's own handler gives it
        super().__init__(applications, **options)
        given = self._server._auth_options
        routes = TornadoRoutes(options.get("extra_patterns") or [], options)
        self._server._auth_options = RoutedOptions(given.auth, given.authorize, given.mounted, routes)
        self._server.start()

    def start(self) -> None:
        """It has started."""

    def stop(self, wait: bool = True) -> None:
        assert not self._stopped, "Already stopped"
        self._stopped = True
        super().stop()

    async def stop_async(self) -> None:
        self._stopped = True
        await self._server.stop_async()


service.Front = RoutedFront  # type: ignore[assignment,attr-defined]
panel.io.server.Server = PanelServer  # type: ignore[misc]
# Machines that run tests may be slow.
panel.tests.util.wait_until.__defaults__ = (None, 20_000, 100)
panel.tests.util.wait_for_server.__defaults__ = (None, 20)
