"""Visitors of a WSGI site who leave, or are sent away: what is still made for them ends, so that no thread works for
nobody, for ever where the answer has no end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .answers import Receive, Scope, Send
from .lifespans import AsgiApp

BUFFERED_BYTES = 1 << 20
"""How much of a body is taken before a thread begins to work for it."""
HAS_LEFT = "hotshoe.has_left"
"""The key of the scope under which our own server says whether the visitor has left, though some of the body is unread:
to ``receive``, that comes first."""
_VISITOR = "hotshoe.visitor"


class Visitor:
    """Who waits for the answer of a WSGI app. Its methods ``receive`` and ``send`` are ASGI's."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._begun: Any = None
        """What has come of the body before anybody works for it."""
        self._error: Exception | None = None
        self._watch: asyncio.Task[None] | None = None
        self._has_left: Callable[[], bool] = lambda: False
        self.is_gone = False

    async def arrive(self) -> None:
        """Wait until all of the body is there, or much: no thread waits for a visitor who sends slowly."""
        body, is_more = bytearray(), True
        while is_more and len(body) < BUFFERED_BYTES and not self.is_gone:
            part = await self._take()
            body += part.get("body", b"")
            is_more = part.get("more_body", False)
        self._begun = {"type": "http.request", "body": bytes(body), "more_body": is_more}

    async def serve(self, app: AsgiApp, scope: Scope) -> None:
        """Have ``app`` answer. Raises what it raises, or what sending did, of which the app is not told.

        The app is not cancelled: its thread would wait for ever for room in the queue of what is to be sent.
        """
        self._has_left = scope.get(HAS_LEFT, self._has_left)
        answering = asyncio.ensure_future(app({**scope, _VISITOR: self}, self.receive, self.send))
        try:
            await asyncio.shield(answering)
        finally:
            self.is_gone = True
            if self._watch is not None:
                self._watch.cancel()
        if self._error is not None:
            raise self._error

    async def receive(self) -> Any:
        """The body. Raises ``ConnectionError`` if the visitor leaves in the middle: what has come is no body."""
        event, self._begun = self._begun or await self._take(), None
        if event["type"] == "http.disconnect":
            raise ConnectionResetError("the visitor has left")
        return event

    async def send(self, event: Any) -> None:
        """Drop what nobody waits for."""
        self.is_gone = self.is_gone or self._has_left()
        if self.is_gone:
            return
        try:
            await self._send(event)
        except Exception as error:
            self.is_gone, self._error = True, error

    async def _take(self) -> Any:
        """What has come; after the whole body, whether the visitor leaves is what one waits for."""
        event = await self._receive()
        self.is_gone = event["type"] == "http.disconnect"
        if not self.is_gone and not event.get("more_body", False):
            self._watch = asyncio.create_task(self._wait())
        return event

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True


def ending(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI app, whose answers end when their ``Visitor`` is gone; they are closed as after their last part."""
    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "CONTENT_LENGTH" not in environ:  # where it is told, frameworks know a body that breaks off
            environ["wsgi.input_terminated"] = True
        return _until_gone(app(environ, start_response), environ["asgi.scope"][_VISITOR])

    return call


def _until_gone(parts: Iterable[bytes], visitor: Visitor) -> Iterator[bytes]:
    try:
        for part in parts:
            if visitor.is_gone:
                return
            yield part
    finally:
        getattr(parts, "close", lambda: None)()
