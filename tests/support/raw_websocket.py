"""A websocket client that can do everything wrong: it shows the bytes of the handshake, of frames and of closes.

Libraries refuse to send what the hostile tests send, and to read what stock closes with (codes beyond RFC 6455).
"""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

TIMEOUT_S = 60.0

Message = tuple[dict[str, Any], dict[str, Any], Any, list[tuple[dict[str, Any], bytes]]]
"""Header, metadata, content, and pairs of a buffer's header and its bytes."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How the server ended the conversation; ``code`` is ``None`` for an empty close frame or none at all."""

    how: str
    """``close`` for a close frame, ``cut`` for the end of the stream without one."""
    code: int | None = None
    reason: str = ""


class ClosedError(Exception):
    """The server has closed."""

    def __init__(self, closed: Closed) -> None:
        super().__init__(str(closed))
        self.closed = closed


class WebSocket:
    """The handshake is sent on construction; ``status``, ``headers`` and (of a refusal) ``body`` are its answer."""

    def __init__(self, port: int, path: str, *, protocols: Sequence[str] | str = (), origin: str | None = None,
                 headers: Sequence[tuple[str, str]] = (), host: str = "localhost",
                 timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile("rb")
        self._count = 0
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        try:
            self.socket.sendall(handshake(port, path, protocols, origin, headers, host))
            self.status, self.headers = self._read_head()
            self.body = b"" if self.status == 101 else self._stream.read(int(self.headers.get("content-length", "0")))
        except BaseException:
            self.cut()
            raise

    def _read_head(self) -> tuple[int, dict[str, str]]:
        status = int(self._stream.readline().split()[1])
        headers = {}
        while (line := self._stream.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """Close the TCP connection without a word."""
        self._stream.close()
        self.socket.close()

    # -- frames

    def send(self, data: str | bytes, *, opcode: int | None = None, final: bool = True) -> None:
        """One frame; the opcode follows the type of ``data`` unless it is given."""
        payload = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        self.socket.sendall(frame(payload, opcode if opcode is not None else TEXT if isinstance(data, str) else BINARY,
                                  final=final))

    def receive(self) -> str | bytes:
        """The next text or binary frame; pings are answered on the way. Raises ``ClosedError``."""
        while True:
            opcode, payload = self._frame()
            match opcode:
                case 1:
                    return payload.decode()
                case 2:
                    return payload
                case 8:
                    raise ClosedError(_closed(payload))
                case 9:
                    self.pings.append(payload)
                    self.send(payload, opcode=PONG)
                case 10:
                    self.pongs.append(payload)

    def next_control(self) -> bytes:
        """The payload of the next frame, which has to be a pong."""
        opcode, payload = self._frame()
        assert opcode == PONG, opcode
        return payload

    def next_payload(self) -> bytes:
        """The payload of the next frame as it travels."""
        return self._frame()[1]

    def _frame(self) -> tuple[int, bytes]:
        try:
            first, second = self._read(2)
            length = second & 127
            if length >= 126:
                length = int.from_bytes(self._read(2 if length == 126 else 8), "big")
            return first & 15, self._read(length)
        except ConnectionError as error:
            raise ClosedError(Closed("cut")) from error

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise ConnectionResetError
        return data

    def closed(self) -> Closed:
        """Read to the end; how it ended."""
        while True:
            try:
                self.receive()
            except ClosedError as error:
                return error.closed

    # -- messages of Bokeh's protocol

    def next(self) -> Message:
        """The next whole message."""
        header, metadata, content = (json.loads(self.receive()) for _ in range(3))
        buffers = []
        for _ in range(header.get("num_buffers", 0)):
            name = json.loads(self.receive())
            payload = self.receive()
            assert isinstance(payload, bytes)
            buffers.append((name, payload))
        return header, metadata, content, buffers

    def until(self, msgtype: str) -> list[Message]:
        """All messages up to the next of ``msgtype``, that one included."""
        messages = [self.next()]
        while messages[-1][0]["msgtype"] != msgtype:
            messages.append(self.next())
        return messages

    def say(self, msgtype: str, content: Any = None, buffers: Sequence[tuple[str, bytes]] = ()) -> str:
        """Send a message; returns its id."""
        self._count += 1
        header: dict[str, Any] = {"msgid": f"m{self._count}", "msgtype": msgtype}
        if buffers:
            header["num_buffers"] = len(buffers)
        for part in (header, {}, {} if content is None else content):
            self.send(json.dumps(part))
        for name, data in buffers:
            self.send(json.dumps({"id": name}))
            self.send(data)
        return f"m{self._count}"

    def ask(self, msgtype: str, content: Any = None, buffers: Sequence[tuple[str, bytes]] = ()) -> list[Message]:
        """Send a message; all that comes up to its answer, the answer last."""
        msgid = self.say(msgtype, content, buffers)
        messages = [self.next()]
        while messages[-1][0].get("reqid") != msgid:
            messages.append(self.next())
        return messages

    def pull(self) -> dict[str, Any]:
        """The document."""
        content = self.ask("PULL-DOC-REQ")[-1][2]
        document: dict[str, Any] = content["doc"]
        return document

    def set(self, model_id: str, attr: str, value: Any) -> list[Message]:
        """Change a property; all that comes up to the answer."""
        return self.ask("PATCH-DOC", {"events": [changed(model_id, attr, value)]})


def changed(model_id: str, attr: str, value: Any) -> dict[str, Any]:
    """A ``ModelChanged`` event."""
    return {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}


def handshake(port: int, path: str, protocols: Sequence[str] | str = (), origin: str | None = None,
              headers: Sequence[tuple[str, str]] = (), host: str = "localhost") -> bytes:
    """The request that opens a websocket."""
    offered = protocols if isinstance(protocols, str) else ", ".join(protocols)
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Protocol: {offered}"] if offered else []
    lines += [f"Origin: {origin}"] if origin is not None else []
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def frame(payload: bytes, opcode: int, *, final: bool = True) -> bytes:
    """A masked frame (the mask is zero, so the payload travels as it is)."""
    first = opcode | (0x80 if final else 0)
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + bytes(4) + payload


def _closed(payload: bytes) -> Closed:
    if not payload:
        return Closed("close")
    return Closed("close", int.from_bytes(payload[:2], "big"), payload[2:].decode())
