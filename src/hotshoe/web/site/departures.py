"""Stops a WSGI response when its client disconnects, so that an endless stream does not occupy a thread for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...http.requests import wait_for_disconnect
from ...http.scopes import HAS_LEFT, WSGI_CLIENT, AsgiApp, Receive, Scope, Send

BUFFERED_BYTES = 1 << 20
"""How much of a body is read before a thread starts to serve the request."""


class WsgiClient:
    """The client of a WSGI app. Its methods ``receive`` and ``send`` are ASGI's."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._first_event: Any = None
        """The part of the body that was read before a thread serves the request."""
        self._error: Exception | None = None
        self._watch: asyncio.Task[None] | None = None
        self._has_left: Callable[[], bool] = lambda: False
        self.is_gone = False

    async def read_ahead(self) -> None:
        """Read the whole body, or ``BUFFERED_BYTES`` of it, so that no thread waits for a slow client."""
        body, is_more = bytearray(), True
        while is_more and len(body) < BUFFERED_BYTES and not self.is_gone:
            part = await self._take()
            body += part.get("body", b"")
            is_more = part.get("more_body", False)
        self._first_event = {"type": "http.request", "body": bytes(body), "more_body": is_more}

    async def serve(self, app: AsgiApp, scope: Scope) -> None:
        """Let ``app`` respond. Raises its exceptions and those of sending; the app does not see the latter.

        The app is never cancelled: its thread would wait forever for room in the queue of parts to send.
        """
        self._has_left = scope.get(HAS_LEFT, self._has_left)
        answering = asyncio.ensure_future(app({**scope, WSGI_CLIENT: self}, self.receive, self.send))
        try:
            await asyncio.shield(answering)
        finally:
            self.is_gone = True
            if self._watch is not None:
                self._watch.cancel()
        if self._error is not None:
            raise self._error

    async def receive(self) -> Any:
        """The next part of the body. Raises ``ConnectionError`` if the client disconnects before the body's end."""
        event, self._first_event = self._first_event or await self._take(), None
        if event["type"] == "http.disconnect":
            raise ConnectionResetError("the client has disconnected")
        return event

    async def send(self, event: Any) -> None:
        """Send a part of the response; drop it if the client has disconnected."""
        self.is_gone = self.is_gone or self._has_left()
        if self.is_gone:
            return
        try:
            await self._send(event)
        except Exception as error:
            self.is_gone, self._error = True, error

    async def _take(self) -> Any:
        """The next event. After the last part of the body, begin to watch for the client's disconnect."""
        event = await self._receive()
        self.is_gone = event["type"] == "http.disconnect"
        if not self.is_gone and not event.get("more_body", False):
            self._watch = asyncio.create_task(self._wait_for_disconnect())
        return event

    async def _wait_for_disconnect(self) -> None:
        await wait_for_disconnect(self._receive)
        self.is_gone = True


def stop_when_gone(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Wrap a WSGI app so that a response stops, and is closed, when its ``WsgiClient`` is gone.

    A GET or HEAD is not started at all if its client disconnected while it waited for a thread.
    """
    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        client = environ["asgi.scope"][WSGI_CLIENT]
        if client.is_gone and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return ()
        if "CONTENT_LENGTH" not in environ:  # with a length, frameworks notice a body that breaks off
            environ["wsgi.input_terminated"] = True
        return _until_gone(app(environ, start_response), client)

    return call


def _until_gone(parts: Iterable[bytes], client: WsgiClient) -> Iterator[bytes]:
    try:
        for part in parts:
            if client.is_gone:
                return
            yield part
    finally:
        getattr(parts, "close", lambda: None)()
