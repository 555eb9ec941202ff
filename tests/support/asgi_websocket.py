"""The client's side of an ASGI websocket."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

BATCH = "hotshoe.websocket.batch"


class Peer:
    """The client's side of one ASGI websocket."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = False
        self.say(type="websocket.connect")
        self.task = asyncio.create_task(app(scope, self._to_app.get, self._take))

    async def _take(self, event: dict[str, Any]) -> None:
        if self.gone:
            raise OSError("gone")
        self._from_app.put_nowait(event)

    def say(self, **event: Any) -> None:
        self._to_app.put_nowait(event)

    @property
    def waiting(self) -> int:
        """The events that the app has not asked for yet."""
        return self._to_app.qsize()

    def leave(self) -> None:
        self.gone = True
        self.say(type="websocket.disconnect", code=1006)

    async def hear(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._from_app.get(), 60)

    async def ended(self) -> list[dict[str, Any]]:
        """Wait for the app's end; what it had still sent."""
        await asyncio.wait_for(self.task, 60)
        return [self._from_app.get_nowait() for _ in range(self._from_app.qsize())]


def socket_scope(path: str, *, protocols: Sequence[str] = (), headers: Mapping[str, str] | None = None,
                 batch: bool = False, plain: bool = False, query: bytes = b"", root_path: str = "",
                 client: tuple[str, int] | None = ("127.0.0.1", 1)) -> dict[str, Any]:
    extensions: dict[str, Any] = {} if plain else {"websocket.http.response": {}}
    if batch:
        extensions[BATCH] = {}
    pairs = {"host": "testserver", **(headers or {})}
    return {
        "type": "websocket", "path": path, "query_string": query, "root_path": root_path, "scheme": "ws",
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
        "subprotocols": list(protocols), "extensions": extensions, "client": client, "server": ("h", 80),
    }


def token_of(page: httpx.Response) -> str:
    found = re.search(r'"token":"([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def pulled(app: Any, path: str, token: str) -> tuple[Peer, dict[str, Any]]:
    """A socket that has got its ACK and the document."""
    peer = Peer(app, socket_scope(path, protocols=["bokeh", token]))
    assert (await peer.hear())["type"] == "websocket.accept"
    assert json.loads((await peer.hear())["text"])["msgtype"] == "ACK"
    assert [(await peer.hear())["text"] for _ in range(2)] == ["{}", "{}"]
    for text in ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"):
        peer.say(type="websocket.receive", text=text)
    fragments = [(await peer.hear())["text"] for _ in range(3)]
    return peer, json.loads(fragments[2])["doc"]
