"""Frames of a websocket, plain and compressed, that come after a handshake.

The first byte of an input says whether compression was agreed on (``c``) or not (``p``); the rest are the frames.
wsproto reads the same bytes: both must take the same messages from it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

from tests.fuzz.driver import Parser
from tests.fuzz.transports import Fed, pieces_of, run_loop
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from hotshoe.server.framing import WINDOW_BITS, deflater
from hotshoe.server.limits import ServingState

LONGEST_MESSAGE = 5000
_HANDSHAKE = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
_OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

_FORGOTTEN = "a ping within a compressed message, after which wsproto forgets that the message is compressed"
LENIENCIES = re.compile(
    r"Payload length used . bytes when . would have sufficed"  # the websockets library does not mind
    rf"|{_FORGOTTEN}"
)
"""What wsproto refuses and we accept: the texts of its errors, and why that is right."""

Messages = list[str | bytes]


def run(data: bytes) -> Hashable:
    compressed, frames = data[:1] == b"c", data[1:]
    whole, code, answer = run_loop(_ours(compressed, [frames]))
    split, split_code, split_answer = run_loop(_ours(compressed, pieces_of(frames)))
    assert whole == split, "the messages differ"
    assert code == split_code or 1007 in (code, split_code), "only wrong text may come after another error"
    assert len(answer) <= 2 * len(frames) + 200, "the answer is larger than what was sent"
    assert len(split_answer) <= 2 * len(frames) + 200
    assert all(len(message) <= LONGEST_MESSAGE for message in whole)
    theirs, error = _of_wsproto(compressed, frames)
    few, many = sorted((whole, theirs), key=len)
    assert many[:len(few)] == few, "wsproto reads other messages"
    if len(whole) > len(theirs) and not LENIENCIES.fullmatch(error):
        raise AssertionError(f"wsproto refuses what we accept: {error}: {whole[len(theirs)]!r:.200}")
    return code, len(whole)


async def _ours(compressed: bool, pieces: list[bytes]) -> tuple[Messages, int | None, bytes]:
    """The messages, the code with which the app is told of the end, and what the server sends after the handshake."""
    messages: Messages = []
    code: int | None = None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal code
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            messages.append(event["text"] if event.get("text") is not None else event["bytes"])
        code = event["code"]

    extension = deflater(1, None) if compressed else None
    fed = Fed(app, ServingState(extension=extension), ws_max_size=LONGEST_MESSAGE,
              ws_per_message_deflate=compressed)
    await fed.feed([_HANDSHAKE + (_OFFER if compressed else b"") + b"\r\n"])
    assert re.match(rb"HTTP/1.1 101 .*\r\n\r\n$", fed.transport.written, re.DOTALL)
    fed.transport.written.clear()
    await fed.feed(pieces)
    answer = bytes(fed.transport.written)
    seen = code
    await fed.end()
    return messages, seen, answer


def _of_wsproto(compressed: bool, frames: bytes) -> tuple[Messages, str]:
    """The messages that wsproto reads, and the error that it then finds."""
    extensions = []
    if compressed:
        extension = PerMessageDeflate(client_max_window_bits=WINDOW_BITS, server_max_window_bits=WINDOW_BITS)
        extension._enabled = True
        extensions.append(extension)
    connection = Connection(ConnectionType.SERVER, extensions)  # type: ignore[arg-type]
    messages: Messages = []
    parts: Messages = []
    try:
        connection.receive_data(frames)
        for event in connection.events():
            match event:
                case TextMessage() | BytesMessage():
                    parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
                    if event.message_finished:
                        messages.append(parts[0][:0].join(parts))  # type: ignore[arg-type]
                        parts = []
                case Ping() | Pong() if compressed and parts:
                    return messages, _FORGOTTEN
                case CloseConnection():
                    return messages, str(event.reason)
    except (RemoteProtocolError, LocalProtocolError) as error:
        return messages, str(error)
    return messages, ""


PARSER = Parser(
    "websocket", run, inputs=1500, memory_bytes=3 << 20,
    words=(b"\x81\x80\0\0\0\0", b"\x82\x80\0\0\0\0", b"\x01\x81\0\0\0\0a", b"\x80\x81\0\0\0\0b",
           b"\x00\x81\0\0\0\0c", b"\x88\x80\0\0\0\0", b"\x88\x82\0\0\0\0\x03\xe8", b"\x89\x81\0\0\0\0p",
           b"\x8a\x80\0\0\0\0", b"\xc1\x87\0\0\0\0\xf2H\xcd\xc9\xc9\x07\0", b"\x81\xfe\x00\x7e\0\0\0\0",
           b"\x81\xff\0\0\0\0\0\x01\x00\x00\0\0\0\0", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
           b"\x83\x80\0\0\0\0", b"\xf1\x80\0\0\0\0", b"\x89\xfe\x00\x7e", b"\xed\xa0\x80", b"\xe2\x82\xac", b"{}",
           b"\0\0\xff\xff", b"c", b"p"),
)
