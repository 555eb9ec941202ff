"""The websocket by which a page in dev mode learns that its app has changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ..hosts.host import Host
from .answers import Receive, Scope, Send
from .requests import arguments_of, last
from .sockets import refuse_text


class Followers:
    """The pages that wait. A page says with which version of which app it was made, and is told once it is another."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: set[asyncio.Task[None]] = set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket whose origin was checked."""
        arguments = arguments_of(scope.get("query_string", b""))
        app, version = last(arguments, "app") or "", last(arguments, "version") or ""
        if app not in self._host.apps:
            await refuse_text(scope, send, "There is no app at this address", 404)
            return
        with suppress(OSError):  # the page is gone
            await send({"type": "websocket.accept"})
            await self._follow(app, version, receive, send)

    async def _follow(self, app: str, version: str, receive: Receive, send: Send) -> None:
        changed = asyncio.create_task(self._host.until_changed(app, version))
        gone = asyncio.create_task(_until_gone(receive))
        self._waiting.add(changed)
        try:
            await asyncio.wait((changed, gone), return_when=asyncio.FIRST_COMPLETED)
            if changed.done() and not gone.done():
                if not changed.cancelled():
                    await send({"type": "websocket.send", "text": "changed"})
                await send({"type": "websocket.close", "code": 1001 if changed.cancelled() else 1000})
        finally:
            self._waiting.discard(changed)
            changed.cancel()
            gone.cancel()
            await asyncio.gather(changed, gone, return_exceptions=True)

    def close(self) -> None:
        """The server stops: end all."""
        for task in self._waiting:
            task.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass
