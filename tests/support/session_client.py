"""A client of a session without a socket: what a connection would send is read from its outbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hotshoe.base.errors import SessionGone
from hotshoe.sessions import Connection, Session
from hotshoe.sessions.lane import Section
from hotshoe.wire import Close, Incoming, Outgoing

WAIT_S = 60.0


class Client:
    """Reads and writes whole messages of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._count = 0
        self._waiting: list[tuple[dict[str, Any], dict[str, Any], Any, list[bytes]]] = []

    async def next(self) -> tuple[dict[str, Any], dict[str, Any], Any, list[bytes]]:
        """Header, metadata, content and buffers of the next message."""
        if not self._waiting:
            async with asyncio.timeout(WAIT_S):
                received = await self.connection.receive()
            assert not isinstance(received, Close), received
            for fragments in received:
                header, metadata, content = (json.loads(bytes(part)) for part in fragments[:3])
                self._waiting.append((header, metadata, content, [bytes(part) for part in fragments[4::2]]))
        return self._waiting.pop(0)

    async def closed(self) -> Close:
        """The order to close, after whatever messages come before it."""
        while True:
            async with asyncio.timeout(WAIT_S):
                received = await self.connection.receive()
            if isinstance(received, Close):
                return received

    async def until(self, msgtype: str) -> list[Any]:
        """The contents of all messages up to the next of ``msgtype``, that one included."""
        contents = []
        while True:
            header, _, content, _ = await self.next()
            contents.append(content)
            if header["msgtype"] == msgtype:
                return contents

    def send(self, msgtype: str, content: Any = None, buffers: tuple[tuple[str, bytes], ...] = ()) -> str:
        """Hand a message to the session; returns its id."""
        self._count += 1
        msgid = f"m{self._count}"
        data = json.dumps({} if content is None else content).encode()
        self.connection.handle(Incoming(msgid, msgtype, data, buffers))
        return msgid

    def set(self, model: Any, attr: str, new: Any) -> str:
        """Change a property as a browser does."""
        event = {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": new}
        return self.send("PATCH-DOC", {"events": [event]})

    async def pull(self) -> Any:
        """The document's JSON."""
        self.send("PULL-DOC-REQ")
        return (await self.until("PULL-DOC-REPLY"))[-1]["doc"]

    async def events(self) -> list[Any]:
        """The events of all patches before the next OK."""
        return [event for content in (await self.until("OK"))[:-1] for event in content["events"]]


Open = Callable[..., Awaitable[Session]]
Attach = Callable[[Session], Awaitable[Client]]


class Nobody:
    """The owner of a lane whose work changes nothing."""

    destroyed = False

    def gone(self) -> SessionGone:
        return SessionGone("nobody")

    def enter(self, section: Section) -> None: ...

    def leave(self, section: Section, replies: Sequence[Outgoing]) -> None:
        section.close()


NOBODY = Nobody()
