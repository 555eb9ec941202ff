"""The site during development: hotshoe's server in place of the WSGI server of ``runserver``."""

from __future__ import annotations

import atexit
import errno
import logging
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ...base.errors import BindError
from ...http.scopes import ADMISSION, AsgiApp, Receive, Scope, Send
from ...server.server import Server
from .application import Application, DjangoSite, django_application
from .apps import hotshoe_settings, with_django_errors

_log = logging.getLogger("django.server")
_KNOWN = {errno.EACCES, errno.EADDRINUSE, errno.EADDRNOTAVAIL}
"""Errors for which Django has messages of its own."""


def development_server(address: str, port: int, *, with_static: bool) -> Server:
    """The site and its apps on ``address``; with ``with_static`` also the files of ``STATIC_URL``."""
    around = _application()
    if with_static:
        around = ASGIStaticFilesHandler(around)
    with with_django_errors():
        site = DjangoSite(RequestLog(around))
        return Server(site=site, guard=site, settings=hotshoe_settings(), address=address, port=port)


def _application() -> AsgiApp:
    """The application named by ``ASGI_APPLICATION``, without the apps. Raises ``ImproperlyConfigured``."""
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        return django_application()
    try:
        found: Any = import_string(name)
    except ImportError as error:
        raise ImproperlyConfigured(f"ASGI_APPLICATION {name!r} can't be imported: {error}") from error
    if isinstance(found, Application):
        return found.around
    _log.warning("%s serves the apps only under runserver: make it with "
                 "hotshoe.integrations.django.get_asgi_application()", name)
    app: AsgiApp = found
    return app


class Running:
    """A running server with the interface that Django expects of a server."""

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
        """The port that the server listens on."""
        return self._server.port

    def set_app(self, app: object) -> None:
        """Do nothing: the server already has its site."""

    def serve_forever(self) -> None:
        """Serve until a signal stops the process."""
        self._server.run()


class RequestLog:
    """Logs requests as ``runserver`` does, but not hotshoe's own questions whether somebody may open an app."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or ADMISSION in scope:
            await self._app(scope, receive, send)
            return
        status, size = 500, 0

        async def send_and_note(event: Any) -> None:
            nonlocal status, size
            status = event.get("status", status)
            size += len(event.get("body", b""))
            await send(event)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            _log_request(scope, status, size)


def _log_request(scope: Scope, status: int, size: int) -> None:
    level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if query := scope.get("query_string", b""):
        path += "?" + query.decode("latin-1")
    # Django's formatter chooses a colour by status_code.
    _log.log(level, '"%s %s HTTP/%s" %d %d', scope["method"], path, scope.get("http_version", "1.1"), status, size,
             extra={"status_code": status})
