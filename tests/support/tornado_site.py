"""A Tornado application on a port of the running loop, with an ASGI app in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from hotshoe.config import Settings
from hotshoe.integrations.tornado.bridge import MountedApp
from hotshoe.integrations.tornado.handlers import rules

App = Callable[..., Any]


class Home(RequestHandler):
    def get(self) -> None:
        self.write("home")


@asynccontextmanager
async def site_of(handlers: list[Any], *, xheaders: bool = False, **settings: Any) -> AsyncIterator[int]:
    """Serves an application of these handlers; yields the port."""
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([("/", Home), *handlers], **settings), xheaders=xheaders)
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


@asynccontextmanager
async def mounted(app: App, *, settings: Settings | None = None, user: Any = None, xheaders: bool = False,
                  handler: type[RequestHandler] | None = None, **more: Any) -> AsyncIterator[int]:
    """Serves an ASGI app below ``/apps``; ``more`` are settings of the application."""
    mount = MountedApp(app, "/apps", settings or Settings(), user)
    async with site_of(list(rules(mount, handler)), xheaders=xheaders, **more) as port:
        yield port


async def read_body(receive: Any) -> bytes:
    """The whole body of a request."""
    body = bytearray()
    while True:
        event = await receive()
        assert event["type"] == "http.request", event
        body += event["body"]
        if not event.get("more_body"):
            return bytes(body)
