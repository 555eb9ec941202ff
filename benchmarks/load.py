"""The load generator: Bokeh's websocket protocol as a client, and plain HTTP.

It speaks the protocol itself, on picows, so that it costs a few microseconds a frame: what is measured is the
server. Run ``python -m benchmarks --ceiling`` to see what it can do against a server that does no work.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import itertools
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

ANSWER_TIMEOUT_S = 60.0
"""An answer later than this ends the measure; the longest that ``bokeh serve`` takes for one is about 25 s."""

MAX_FRAME_BYTES = 64 * 1024 * 1024

_ids = itertools.count(1)


class LoadError(Exception):
    """The server did not answer as Bokeh's protocol wants: what it did instead."""


class _Pulled(msgspec.Struct):
    doc: dict[str, Any]


class _Header(msgspec.Struct):
    msgtype: str
    reqid: str | None = None
    num_buffers: int = 0


_decode_header = msgspec.json.Decoder(_Header).decode


class Connection(WSListener):
    """One browser's websocket."""

    def __init__(self) -> None:
        self.frames = 0
        """Frames received so far."""
        self.patches = 0
        """PATCH-DOCs received so far."""
        self.on_patch: Callable[[bytes], None] | None = None
        """Called with the content of each PATCH-DOC."""
        loop = asyncio.get_running_loop()
        self._acknowledged: asyncio.Future[None] = loop.create_future()
        self._waiting: dict[str, tuple[float, asyncio.Future[tuple[float, bytes]]]] = {}
        self._index = 0
        self._parts: list[bytes] = []
        self._header = _Header("")
        self._content = b""
        self._transport: WSTransport | None = None

    async def request(self, msgtype: str, content: bytes = b"{}") -> tuple[float, bytes]:
        """Send a message and wait for its reply: the seconds it took, and the reply's content."""
        return await asyncio.wait_for(self.post(msgtype, content), ANSWER_TIMEOUT_S)

    def post(self, msgtype: str, content: bytes = b"{}") -> asyncio.Future[tuple[float, bytes]]:
        """Send a message; the future is what ``request`` returns."""
        if self._transport is None:
            raise LoadError("the server has closed the websocket")
        msgid = str(next(_ids))
        answer: asyncio.Future[tuple[float, bytes]] = asyncio.get_running_loop().create_future()
        header = b'{"msgid":"%s","msgtype":"%s"}' % (msgid.encode(), msgtype.encode())
        data = b"".join((_text_frame(header), _text_frame(b"{}"), _text_frame(content)))
        self._waiting[msgid] = (time.perf_counter(), answer)
        self._transport.underlying_transport.write(data)
        return answer

    async def acknowledged(self) -> None:
        """Wait for the server's ACK."""
        await asyncio.wait_for(asyncio.shield(self._acknowledged), ANSWER_TIMEOUT_S)

    async def document(self) -> dict[str, Any]:
        """Pull the document."""
        _, content = await self.request("PULL-DOC-REQ")
        return msgspec.json.decode(content, type=_Pulled).doc

    async def set(self, model_id: str, value: float, attr: str = "value") -> float:
        """Change a property; the seconds until the server's OK."""
        elapsed, _ = await self.request("PATCH-DOC", patch(model_id, value, attr))
        return elapsed

    def close(self) -> None:
        """Close the websocket, without waiting."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        error = LoadError("the server has closed the websocket")
        _break(self._acknowledged, error)
        for _, answer in self._waiting.values():
            _break(answer, error)
        self._waiting.clear()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type not in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        if not frame.fin:
            self._parts.append(frame.get_payload_as_bytes())
            return
        self.frames += 1
        index = self._index
        if index == 0:
            self._header = _decode_header(self._payload(frame))
        elif index == 2:
            self._content = self._payload(frame)
        else:
            self._parts.clear()
        self._index = index + 1
        if self._index == 3 + 2 * self._header.num_buffers:
            self._index = 0
            self._complete(self._header)

    def _payload(self, frame: WSFrame) -> bytes:
        payload: bytes = frame.get_payload_as_bytes()
        if self._parts:
            payload = b"".join((*self._parts, payload))
            self._parts.clear()
        return payload

    def _complete(self, header: _Header) -> None:
        if header.reqid is not None:
            started, answer = self._waiting.pop(header.reqid)
            if answer.done():
                return
            if header.msgtype == "ERROR":
                answer.set_exception(LoadError(f"the server answered ERROR: {self._content[:300]!r}"))
            else:
                answer.set_result((time.perf_counter() - started, self._content))
        elif header.msgtype == "PATCH-DOC":
            self.patches += 1
            if self.on_patch is not None:
                self.on_patch(self._content)
        elif header.msgtype == "ACK" and not self._acknowledged.done():
            self._acknowledged.set_result(None)


def _break(future: asyncio.Future[Any], error: LoadError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # marks it as seen: who no longer waits need not be told


async def connect(port: int, app: str, session_id: str | None = None) -> Connection:
    """Open a websocket to a session (a new one, if no id is given) and wait for the server's ACK."""
    offered = f"bokeh, {unsigned_token(session_id or new_session_id())}"
    try:
        _, connection = await ws_connect(
            Connection, f"ws://127.0.0.1:{port}/{app}/ws", extra_headers={"Sec-WebSocket-Protocol": offered},
            max_frame_size=MAX_FRAME_BYTES, websocket_handshake_timeout=ANSWER_TIMEOUT_S)
    except Exception as error:  # picows' own tree and the operating system's errors alike
        raise LoadError(f"no websocket: {error!r}") from error
    assert isinstance(connection, Connection)
    await connection.acknowledged()
    return connection


def new_session_id() -> str:
    """A session id that nobody has had in this run."""
    return f"benchmark{next(_ids):035d}"


def unsigned_token(session_id: str) -> str:
    """A session token as an unsigned server accepts it."""
    payload = msgspec.json.encode({"session_id": session_id, "session_expiry": int(time.time()) + 3600})
    return base64.urlsafe_b64encode(payload).decode().rstrip("=")


def patch(model_id: str, value: float, attr: str = "value") -> bytes:
    """The content of a PATCH-DOC that sets one property, as BokehJS sends it."""
    return (b'{"events":[{"kind":"ModelChanged","model":{"id":"%s"},"attr":"%s","new":%r}]}'
            % (model_id.encode(), attr.encode(), value))


def models(document: dict[str, Any], name: str) -> list[str]:
    """The ids of a document's models of one class, in the order in which they are defined; at least one."""
    ids = [obj["id"] for obj in _objects(document) if obj.get("name") == name]
    if not ids:
        raise LoadError(f"the document has no {name}")
    return ids


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object" and "id" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _objects(item)


def _text_frame(payload: bytes) -> bytes:
    """A client's frame. The mask's key is zero, which masks nothing and costs nothing."""
    length = len(payload)
    if length < 126:
        return struct.pack("!BB4x", 0x81, 0x80 | length) + payload
    if length < 65536:
        return struct.pack("!BBH4x", 0x81, 0xFE, length) + payload
    return struct.pack("!BBQ4x", 0x81, 0xFF, length) + payload


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered to a GET."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    """As it was sent: not decompressed."""
    elapsed_s: float


class Http:
    """One keep-alive HTTP connection. It blocks, so use it only while nothing else is measured."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)

    def get(self, path: str, **headers: str) -> Response:
        """GET ``path``; keyword arguments are headers, with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        started = time.perf_counter()
        try:
            self._connection.request("GET", path, headers=named)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise LoadError(f"GET {path}: {error!r}") from error
        elapsed = time.perf_counter() - started
        received = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, received, body, elapsed)

    def page(self, app: str) -> Response:
        """The app's page; anything but a 200 is an error."""
        response = self.get(f"/{app}")
        if response.status != 200:
            raise LoadError(f"GET /{app} answered {response.status}")
        return response

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
