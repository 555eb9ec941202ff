"""A server that says what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from bokeh.document import Document
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from hotshoe.seams import encode_document
from hotshoe.wire import (
    Assembler,
    Incoming,
    Outgoing,
    ack,
    is_binary,
    ok,
    pull_doc_body,
    reply,
    server_info_reply,
    to_json,
)

Play = Callable[["Caller"], Awaitable[None]]


class Caller:
    """A client that has connected."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.assembler = Assembler(1 << 30)

    @property
    def token(self) -> str:
        """The token that it offered."""
        assert self.connection.request is not None
        return self.connection.request.headers["Sec-WebSocket-Protocol"].split(",")[1].strip()

    async def say(self, message: Outgoing) -> None:
        for index, data in enumerate(message):
            await self.connection.send(bytes(data), text=not is_binary(index))

    async def hear(self) -> Incoming:
        while True:
            message = self.assembler.feed(await self.connection.recv())
            if message is not None:
                return message

    async def answer(self, document: Document, version: str = "3.9.0") -> None:
        """Greet, and serve one document until the client goes."""
        await self.say(ack())
        async for _ in self.requests(document, version):
            pass

    async def requests(self, document: Document, version: str = "3.9.0") -> AsyncIterator[Incoming]:
        """What it asks, answered."""
        while True:
            message = await self.hear()
            match message.msgtype:
                case "PULL-DOC-REQ":
                    body = pull_doc_body(document_json(document, version), ())
                    await self.say(reply("PULL-DOC-REPLY", message.msgid, body))
                case "SERVER-INFO-REQ":
                    await self.say(server_info_reply(message.msgid, version))
                case _:
                    await self.say(ok(message.msgid))
            yield message


def document_json(document: Document, version: str = "3.9.0") -> bytes:
    """The document as JSON."""
    return to_json({**encode_document(document).content, "version": version}, inline=True)


@asynccontextmanager
async def scripted(*plays: Play, answer: Callable[[Request], tuple[int, str] | None] = lambda request: None,
                   headers: dict[str, str] | None = None) -> AsyncIterator[str]:
    """A server that plays each of ``plays`` to one connection, the last to all others; yields the app's address.

    ``answer`` may answer a request with a status and a text instead.
    """
    left = list(plays)

    async def play(connection: ServerConnection) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(Caller(connection))

    def process(connection: ServerConnection, request: Request) -> Response | None:
        found = answer(request)
        if found is None:
            return None
        response = connection.respond(HTTPStatus(found[0]), found[1])
        for name, value in (headers or {}).items():
            response.headers[name] = value
        return response

    def choose(connection: ServerConnection, offered: Any) -> Subprotocol | None:
        return offered[0] if offered else None

    async with serve(play, "127.0.0.1", 0, process_request=process, select_subprotocol=choose,
                     max_size=None, close_timeout=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}/app"


def session_id_of(token: str) -> str:
    """What a token, unsigned or not, says."""
    from hotshoe.tokens import read

    return read(token).session_id


def event_of(message: Incoming) -> dict[str, Any]:
    """The one event of a PATCH-DOC."""
    (event,) = json.loads(message.content)["events"]
    return dict(event)
