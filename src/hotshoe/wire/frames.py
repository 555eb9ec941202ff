"""Fragments in, whole messages out: the framing of Bokeh's protocol, with no I/O.

A message is a header, metadata and content (text), then a header (text) and a payload (binary)
for each buffer.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from ..errors import ProtocolError
from .messages import INVALID_DATA, MALFORMED, TOO_BIG, WRONG_KIND, Incoming, close_reason

MAX_BUFFERS = 65_536
"""Most buffers of one message; bounds what they cost beyond their bytes."""

MAX_ID_CHARS = 256
"""Longest id and type of a message: replies and logs repeat them."""

_UNPARSABLE = "server failed to parse a message"

_Stage: TypeAlias = Literal["HEADER", "METADATA", "CONTENT", "BUFFER_HEADER", "BUFFER_PAYLOAD"]
"""What the next fragment has to be; the names are those that bokeh gives in its close reasons."""

_Id: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARS)]


class _Header(msgspec.Struct, gc=False):
    # What is missing is told apart from what has the wrong type, so nothing is required here.
    msgid: _Id | None = None
    msgtype: _Id | None = None
    reqid: _Id | None = None
    num_buffers: Annotated[int, msgspec.Meta(ge=0)] = 0


class _BufferHeader(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    id: str


_header_decoder = msgspec.json.Decoder(_Header)
_buffer_header_decoder = msgspec.json.Decoder(_BufferHeader)


class Assembler:
    """Puts the messages of one connection together.

    ``max_message_bytes`` bounds the sum of all fragments of a message, text counted as UTF-8.
    """

    __slots__ = ("_buffer_id", "_buffers", "_content", "_envelope", "_failed", "_left", "_limit", "_num_buffers",
                 "_stage")

    def __init__(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._failed = False
        self._start()

    @property
    def idle(self) -> bool:
        """Whether no message is half-way: the next fragment is a header."""
        return self._stage == "HEADER"

    def feed(self, fragment: str | bytes) -> Incoming | None:
        """Take the next websocket message; return the protocol message that it completes, if it does.

        Raises ``ProtocolError`` with a close code of RFC 6455. After that every call does: where the next
        message starts is not known.
        """
        if self._failed:
            raise ProtocolError("input after a protocol error", close_code=MALFORMED)
        try:
            return self._take(self._admitted(fragment))
        except ProtocolError:
            self._failed = True
            self._start()
            raise

    def _start(self) -> None:
        self._left = self._limit
        self._envelope: tuple[str, str, str | None] = ("", "", None)
        self._num_buffers = 0
        self._content = b""
        self._buffer_id = ""
        self._buffers: list[tuple[str, bytes]] = []
        self._stage: _Stage = "HEADER"

    def _admitted(self, fragment: str | bytes) -> bytes:
        binary = self._stage == "BUFFER_PAYLOAD"
        if isinstance(fragment, str) is binary:
            wanted, got = ("binary", "text") if binary else ("text", "binary")
            detail = f"expected {wanted} fragment but received {got} fragment for _{self._stage}"
            raise ProtocolError(detail, close_code=WRONG_KIND)
        if len(fragment) > self._left:  # before a copy is made of what can't be kept
            raise _too_big()
        data = _utf8(fragment) if isinstance(fragment, str) else fragment
        self._left -= len(data)
        if self._left < 0:
            raise _too_big()
        return data

    def _take(self, data: bytes) -> Incoming | None:
        match self._stage:
            case "HEADER":
                self._take_header(data)
            case "METADATA":
                # Bokeh gives it no meaning on the way to a server; it only counts against the limit.
                self._stage = "CONTENT"
            case "CONTENT":
                self._content = data
                return self._completed()
            case "BUFFER_HEADER":
                self._take_buffer_header(data)
            case "BUFFER_PAYLOAD":
                self._buffers.append((self._buffer_id, data))
                return self._completed()
        return None

    def _take_header(self, data: bytes) -> None:
        try:
            header = _header_decoder.decode(data)
        except msgspec.ValidationError as error:
            raise ProtocolError(close_reason(f"Malformed header: {error}"), close_code=MALFORMED) from error
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ProtocolError(_UNPARSABLE, close_code=INVALID_DATA) from error
        if header.msgtype is None:
            raise ProtocolError("No 'msgtype' in header", close_code=MALFORMED)
        if header.msgid is None:
            raise ProtocolError("No 'msgid' in header", close_code=MALFORMED)
        if header.num_buffers > MAX_BUFFERS:
            raise _too_big()
        self._envelope = header.msgid, header.msgtype, header.reqid
        self._num_buffers = header.num_buffers
        self._stage = "METADATA"

    def _take_buffer_header(self, data: bytes) -> None:
        try:
            self._buffer_id = _buffer_header_decoder.decode(data).id
        except msgspec.ValidationError as error:
            detail = close_reason(f"Malformed buffer header {data.decode()}")
            raise ProtocolError(detail, close_code=MALFORMED) from error
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ProtocolError(_UNPARSABLE, close_code=INVALID_DATA) from error
        self._stage = "BUFFER_PAYLOAD"

    def _completed(self) -> Incoming | None:
        if len(self._buffers) < self._num_buffers:
            self._stage = "BUFFER_HEADER"
            return None
        msgid, msgtype, reqid = self._envelope
        message = Incoming(msgid, msgtype, self._content, tuple(self._buffers), reqid)
        self._start()
        return message


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # a lone surrogate: RFC 6455 has no such text
        raise ProtocolError(_UNPARSABLE, close_code=INVALID_DATA) from error


def _too_big() -> ProtocolError:
    return ProtocolError("message too big", close_code=TOO_BIG)
