"""A Django site with its apps, as one ASGI application."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

from ...web.admission import ADMISSION
from ...web.answers import Receive, Scope, Send
from ...web.lifespans import AsgiApp
from ...web.routes import below
from ...web.sockets import refuse_text
from ...web.wrapping import wrap
from .databases import tend_connections
from .options import hotshoe_settings, in_words_of_django
from .routes import add_route, find_apps, url_of

_log = logging.getLogger(__name__)


def django_application() -> AsgiApp:
    """Django's own ASGI application."""
    app: AsgiApp = get_asgi_application()
    return app


class DjangoSite:
    """The site: ``around`` it is that answers, and Django's views say who may see the apps. Satisfies ``Joined``."""

    def __init__(self, around: AsgiApp) -> None:
        self._around = around
        found = find_apps()
        self._routes = {url_of(route): route for route in found}
        self.apps: Mapping[str, Any] = {url_of(route): app for route, app in found.items()}
        self.extensions = {"hotshoe": self}
        tend_connections()

    def join(self, urls: list[str]) -> None:
        """Give Django a route to apps that the server has of its own."""
        for url in urls:
            if url not in self._routes:
                self._routes[url] = url
                add_route(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a websocket; what Channels or others do with it is theirs."""
        if ADMISSION in scope:
            scope = self._as_django_has_it(scope)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._around(scope, receive, send)

    def _as_django_has_it(self, scope: Scope) -> Scope:
        """Django's paths end with a slash, and it would redirect to those."""
        base = scope.get("root_path", "").rstrip("/")
        url = below(scope["path"], base) or "/"
        return {**scope, "path": base + self._routes.get(url, url)}

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_noted(event: Any) -> None:
            nonlocal begun
            begun = True
            await send(event)

        try:
            await self._around(scope, receive, send_noted)
        except ValueError as error:  # so Django and Channels refuse what they have no place for
            if begun:
                raise
            _log.info("No websocket at %s: %s", scope["path"], error)
            await refuse_text(scope, send, "There is no app at this address", 404)


class Application:
    """An ASGI callable, which starts and stops as ``hotshoe.asgi``'s does.

    ``hotshoe serve --wsgi project.asgi:application`` serves its apps itself, with its own settings; it is then only
    the site.
    """

    def __init__(self, around: AsgiApp) -> None:
        self._around = around
        self._site = DjangoSite(around)
        with in_words_of_django():
            self._asgi = wrap(self._site, settings=hotshoe_settings())
        self._serve: AsgiApp = self._asgi
        self.extensions = {"hotshoe": self}

    @property
    def around(self) -> AsgiApp:
        """What answers all that is not the apps'."""
        return self._around

    @property
    def apps(self) -> Mapping[str, Any]:
        """The apps by URL."""
        return self._site.apps

    def join(self, urls: list[str]) -> None:
        """A server of hotshoe has taken the apps."""
        self._site.join(urls)
        self._serve = self._site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        name = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
        if name and not scope.get("root_path") and below(scope.get("path", ""), name) is not None:
            scope = {**scope, "root_path": name}
        await self._serve(scope, receive, send)

    async def start(self) -> None:
        """Run the load hooks on the running loop; only needed where there is no lifespan."""
        await self._asgi.start()

    async def stop(self) -> None:
        """Close all websockets and end all sessions."""
        await self._asgi.stop()

    def lifespan(self, site: object = None) -> AbstractAsyncContextManager[None]:
        """Start, and stop at the end; for a framework around that passes no lifespan on."""
        return self._asgi.lifespan(site)
