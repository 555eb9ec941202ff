"""A Django site with its apps, as one ASGI application.

Django's database connections belong to threads. On threads that run apps they are returned as at the end of a request:
a connection that is open when a callback or script ends is kept for ``CONN_MAX_AGE`` at most, and not after its thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connections

from ...base import housekeeping
from ...base.logs import PacedLog
from ...http.paths import base_of, normalized_url, path_below
from ...http.responses import refuse_text
from ...http.scopes import ADMISSION, AsgiApp, Receive, Scope, Send
from ...web.mount import wrap
from ...web.site.extensions import declare
from .apps import hotshoe_settings, with_django_errors
from .views import OWN_VIEW, add_route, app_of, find_views

_log = PacedLog(logging.getLogger(__name__))


def django_application() -> AsgiApp:
    """Django's own ASGI application."""
    app: AsgiApp = get_asgi_application()
    return app


class DjangoSite:
    """The site: ``around`` responds, and Django's views decide who may open the apps. Satisfies ``Joined``."""

    def __init__(self, around: AsgiApp) -> None:
        self._around = around
        found = find_views()
        self._routes = {normalized_url(route): (route, view) for route, view in found.items()}
        self.apps: Mapping[str, Any] = {normalized_url(route): app_of(view) for route, view in found.items()}
        self.extensions = {"hotshoe": self}
        housekeeping.register(_CONNECTIONS)

    def join(self, urls: list[str]) -> None:
        """Add routes to Django for the apps that the server has in addition."""
        for url in urls:
            if url not in self._routes:
                self._routes[url] = url, add_route(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request or a websocket."""
        if ADMISSION in scope:
            base = base_of(scope)
            url = path_below(scope["path"], base) or "/"
            # Django's routes may end with a slash; it would redirect to them.
            route, view = self._routes.get(url, (url, None))
            # What is around may have changed the path, so the view may be another app's.
            scope = {**scope, "path": base + route, OWN_VIEW: view if url == scope[ADMISSION].app else None}
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._around(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_and_note(event: Any) -> None:
            nonlocal has_begun
            has_begun = True
            await send(event)

        try:
            await self._around(scope, receive, send_and_note)
        except ValueError as error:  # Django and Channels raise it for a websocket without a route
            if has_begun:
                raise
            _log.info("No websocket at %s: %s", scope["path"], error)
            await refuse_text(scope, send, "There is no app at this address", 404)


class Application:
    """An ASGI callable that starts and stops as that of ``hotshoe.asgi`` does.

    With ``hotshoe serve --wsgi project.asgi:application`` the command serves the apps, with its own settings; this
    object is then only the site.
    """

    def __init__(self, around: AsgiApp) -> None:
        self._around = around
        self._site = DjangoSite(around)
        with with_django_errors():
            self._asgi = wrap(self._site, guard=self._site, settings=hotshoe_settings())
            declare(self, "a Django application of hotshoe.integrations.django")
        self._serve: AsgiApp = self._asgi
        self.extensions = {"hotshoe": self}

    @property
    def around(self) -> AsgiApp:
        """The ASGI app for all requests that are not for the apps."""
        return self._around

    @property
    def apps(self) -> Mapping[str, Any]:
        """The apps by URL."""
        return self._site.apps

    def join(self, urls: list[str]) -> None:
        """Serve only the site: a server of hotshoe serves the apps."""
        self._site.join(urls)
        self._serve = self._site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        name = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
        if name and not scope.get("root_path") and path_below(scope.get("path", ""), name) is not None:
            scope = {**scope, "root_path": name, "app_root_path": name}  # of a proxy, and no mount
        await self._serve(scope, receive, send)

    async def start(self) -> None:
        """Run the load hooks on the running loop; only needed without a lifespan."""
        await self._asgi.start()

    async def stop(self) -> None:
        """Close all websockets and end all sessions."""
        await self._asgi.stop()

    def lifespan(self, site: object = None) -> AbstractAsyncContextManager[None]:
        """Start, and stop at the end; for a framework that does not pass on the lifespan."""
        return self._asgi.lifespan(site)


class Connections:
    """A housekeeper for Django's database connections."""

    def tidy(self) -> float | None:
        """Close the connections that Django would close between two requests.

        Returns after how many seconds the next one becomes too old, so that it does not stay open on an idle thread.
        """
        ends_s: list[float] = []
        for connection in connections.all(initialized_only=True):
            connection.queries_log.clear()  # it grows if DEBUG is set
            connection.close_if_unusable_or_obsolete()
            if connection.connection is not None and connection.close_at is not None:
                ends_s.append(connection.close_at)
        return min(ends_s) - time.monotonic() if ends_s else None

    def leave(self) -> None:
        """Close all connections, since the thread ends."""
        connections.close_all()

    @asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        """Give ``async def`` code its own thread for the ORM, as each request has one, when it uses the ORM."""
        async with ThreadSensitiveContext() as context:
            try:
                yield
            finally:
                if context in SyncToAsync.context_to_thread_executor:
                    await sync_to_async(connections.close_all)()


_CONNECTIONS = Connections()
