"""HTTP: a Tornado handler that lets an ASGI app answer, and changes nothing of what it says."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from .inbox import Event, Inbox
from .mounting import Mount, prepared

_log = logging.getLogger(__name__)

_GONE: Event = {"type": "http.disconnect"}


@stream_request_body
class AppRequest(RequestHandler):
    """Both bodies are streamed, each side waits for the other."""

    mount: ClassVar[Mount]
    _inbox: Inbox | None = None
    _app: asyncio.Task[None]
    _has_begun = False
    _is_waiting = False

    async def prepare(self) -> None:
        """Start the app, as soon as the head is there and the site's own ``prepare`` is done."""
        if not await prepared(self, super().prepare()):
            return
        # No compression, which the apps' server does better: ranges and digests must stay what they are.
        self._transforms = []
        self._limit(self.mount.settings.max_body_size or sys.maxsize)
        scope = await self.mount.scope(self, "http")
        inbox = self._inbox = Inbox()
        self._app = asyncio.create_task(self.mount.app(scope, inbox.get, self._send))
        self._app.add_done_callback(lambda _: inbox.end(_GONE))

    def _limit(self, most: int) -> None:
        length = self.request.headers.get("Content-Length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > most):
            raise HTTPError(413)
        connection: Any = self.request.connection
        connection.set_max_body_size(most)  # for a body that comes in chunks

    async def data_received(self, chunk: bytes) -> None:
        """A part of the body."""
        if self._inbox is not None:
            await self._inbox.put({"type": "http.request", "body": chunk, "more_body": True})

    async def _respond(self, *args: str, **kwargs: str) -> None:
        """The whole request is there: wait for the end of the answer."""
        assert self._inbox is not None
        await self._inbox.put({"type": "http.request", "body": b"", "more_body": False})
        self._is_waiting = True
        with suppress(StreamClosedError):
            await self._app
            if not self._has_begun:
                raise RuntimeError("the app has not answered")

    get = head = post = delete = patch = put = options = _respond

    def on_connection_close(self) -> None:
        """The visitor has gone."""
        super().on_connection_close()
        if self._inbox is not None:
            self._inbox.end(_GONE)
            if not self._is_waiting:
                self._app.add_done_callback(_tell_failure)

    async def _send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self._has_begun = True
            self.set_status(event["status"])
            answer(self, event.get("headers", ()))
        elif event["type"] == "http.response.body":
            if body := event.get("body"):
                self.write(bytes(body))
            await self.flush()

    def compute_etag(self) -> None:
        """None: the app has said whether it has one."""

    def check_xsrf_cookie(self) -> None:
        """The apps protect their forms themselves, and know nothing of Tornado's cookie."""


def answer(handler: RequestHandler, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Set the headers: in the place of the site's own of that name, and each as often as the app says it."""
    handler.clear_header("Content-Type")  # which Tornado has guessed
    seen: set[str] = set()
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in seen:
            handler.add_header(name, value)
        else:
            handler.set_header(name, value)
        seen.add(name)


def _tell_failure(app: asyncio.Task[None]) -> None:
    """Nobody waits for the answer any more."""
    error = None if app.cancelled() else app.exception()
    if error is not None and not isinstance(error, OSError):  # that is how the app learns that the visitor has gone
        _log.error("An app failed when its visitor had gone", exc_info=error)
