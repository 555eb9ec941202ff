"""The site while it is developed: a server of hotshoe where ``runserver`` has one of WSGI's."""

from __future__ import annotations

import atexit
import errno
import logging
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ...errors import BindError
from ...web.admission import ADMISSION
from ...web.answers import Receive, Scope, Send
from ...web.lifespans import AsgiApp
from ...web.server import Server
from .application import Application, DjangoSite, django_application
from .options import hotshoe_settings, in_words_of_django

_log = logging.getLogger("django.server")
_KNOWN = {errno.EACCES, errno.EADDRINUSE, errno.EADDRNOTAVAIL}
"""What Django has words for."""


def development_server(address: str, port: int, *, with_static: bool) -> Server:
    """The site and its apps on ``address``; ``with_static`` it has the files of ``STATIC_URL`` too."""
    around = _application()
    if with_static:
        around = ASGIStaticFilesHandler(around)
    with in_words_of_django():
        return Server(site=DjangoSite(RequestLog(around)), settings=hotshoe_settings(), address=address, port=port)


def _application() -> AsgiApp:
    """What ``ASGI_APPLICATION`` names, without the apps. Raises ``ImproperlyConfigured``."""
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        return django_application()
    try:
        found: Any = import_string(name)
    except ImportError as error:
        raise ImproperlyConfigured(f"ASGI_APPLICATION {name!r} can't be imported: {error}") from error
    if isinstance(found, Application):
        return found.around
    _log.warning("%s serves no apps elsewhere: make it by hotshoe.integrations.django.get_asgi_application()", name)
    app: AsgiApp = found
    return app


class Running:
    """A server that runs, with the methods of those that Django starts."""

    def __init__(self, server: Server) -> None:
        self._server = server
        atexit.register(server.stop)  # Django ends the process when files have changed
        try:
            server.start()
        except BindError as error:
            number = getattr(error.__cause__, "errno", None)
            raise OSError(number, str(error)) if number in _KNOWN else OSError(str(error)) from error

    @property
    def server_port(self) -> int:
        """The port that it has got."""
        return self._server.port

    def set_app(self, app: object) -> None:
        """The server knows its site."""

    def serve_forever(self) -> None:
        """Until a signal comes."""
        self._server.run()


class RequestLog:
    """Says what was asked for, as ``runserver`` does; questions about apps are no requests."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or ADMISSION in scope:
            await self._app(scope, receive, send)
            return
        status, size = 500, 0

        async def send_noted(event: Any) -> None:
            nonlocal status, size
            status = event.get("status", status)
            size += len(event.get("body", b""))
            await send(event)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            _tell(scope, status, size)


def _tell(scope: Scope, status: int, size: int) -> None:
    level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if query := scope.get("query_string", b""):
        path += "?" + query.decode("latin-1")
    # Django's formatter colours by status_code.
    _log.log(level, '"%s %s HTTP/%s" %d %d', scope["method"], path, scope.get("http_version", "1.1"), status, size,
             extra={"status_code": status})
