# mypy: disable-error-code="misc"
"""``manage.py runserver``: Django's command, with the apps and their websockets."""

from __future__ import annotations

import io
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as DjangoCommand
from django.core.management.base import OutputWrapper


class Command(DjangoCommand):
    """Django's options, checks, messages and restarts, with hotshoe's ASGI server."""

    stdout: Any

    help = "Starts a web server for development that serves Bokeh apps with their websockets, and static files."

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """Make the server; Django starts it after its checks."""
        from ...development import Running, development_server

        wanted = options["use_static_handler"] and (settings.DEBUG or options["insecure_serving"])
        with_static = wanted and apps.is_installed("django.contrib.staticfiles")
        server = development_server(self.addr, int(self.port), with_static=with_static)
        self.server_cls = lambda address, handler, ipv6=False: Running(server)
        return server

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Run in the process that serves; Django calls this again after each change."""
        # With threading, Django would mix a class of its own into the server, which has its own threads.
        super().inner_run(*args, **{**options, "use_threading": False})

    def on_bind(self, server_port: int) -> None:
        """Print Django's message with the right protocol."""
        message, stdout = io.StringIO(), self.stdout
        self.stdout = OutputWrapper(message)
        try:
            super().on_bind(server_port)
        finally:
            self.stdout = stdout
        self.stdout.write(message.getvalue().replace("Starting WSGI", "Starting ASGI (hotshoe)"), ending="")
        self.stdout.flush()
