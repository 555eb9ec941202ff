"""Assembles messages from fragments: the framing of Bokeh's protocol, without I/O.

A message is a header, metadata and content (text), then a header (text) and a payload (binary) for each buffer.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from ..base.errors import ProtocolError
from ..config.limit_table import LIMITS
from .messages import INVALID_DATA, MALFORMED, TOO_BIG, WRONG_KIND, Incoming, close_reason

_UNPARSABLE = "server failed to parse a message"

_Stage: TypeAlias = Literal["HEADER", "METADATA", "CONTENT", "BUFFER_HEADER", "BUFFER_PAYLOAD"]
"""The kind of the next fragment; bokeh uses the same names in its close reasons."""

_Id: TypeAlias = Annotated[str, msgspec.Meta(max_length=LIMITS.id_chars)]


class _Header(msgspec.Struct, gc=False):
    # All fields are optional, since missing ones and wrong types have different errors.
    msgid: _Id | None = None
    msgtype: _Id | None = None
    reqid: _Id | None = None
    num_buffers: Annotated[int, msgspec.Meta(ge=0)] = 0


class _BufferHeader(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    id: str


_header_decoder = msgspec.json.Decoder(_Header)
_buffer_header_decoder = msgspec.json.Decoder(_BufferHeader)


class Assembler:
    """Assembles the messages of one connection.

    ``max_message_bytes`` limits the sum of all fragments of a message; text counts as UTF-8.
    """

    __slots__ = ("_buffer_id", "_buffers", "_content", "_envelope", "_failed", "_left", "_limit", "_num_buffers",
                 "_stage", "_taken_bytes")

    def __init__(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._failed = False
        self._taken_bytes = 0
        self._start()

    @property
    def size(self) -> int:
        """The bytes of the message that is not complete yet; 0 between messages."""
        return self._limit - self._left

    def take_size(self) -> int:
        """The bytes of all fragments since the last call."""
        taken, self._taken_bytes = self._taken_bytes, 0
        return taken

    def feed(self, fragment: str | bytes) -> Incoming | None:
        """Take the next websocket message. Returns the protocol message that it completes, if any.

        Raises ``ProtocolError`` with a close code of RFC 6455. After that every call raises it: nobody knows where the
        next message starts.
        """
        if self._failed:
            raise ProtocolError("input after a protocol error", close_code=MALFORMED)
        try:
            return self._take(self._checked_bytes(fragment))
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

    def _checked_bytes(self, fragment: str | bytes) -> bytes:
        binary = self._stage == "BUFFER_PAYLOAD"
        if isinstance(fragment, str) is binary:
            wanted, got = ("binary", "text") if binary else ("text", "binary")
            detail = f"expected {wanted} fragment but received {got} fragment for _{self._stage}"
            raise ProtocolError(detail, close_code=WRONG_KIND)
        if len(fragment) > self._left:  # before the text is copied
            raise _too_big()
        data = _utf8(fragment) if isinstance(fragment, str) else fragment
        self._left -= len(data)
        self._taken_bytes += len(data)
        if self._left < 0:
            raise _too_big()
        return data

    def _take(self, data: bytes) -> Incoming | None:
        match self._stage:
            case "HEADER":
                self._take_header(data)
            case "METADATA":
                # Servers ignore metadata; it only counts for the limit.
                self._stage = "CONTENT"
            case "CONTENT":
                self._content = data
                return self._complete()
            case "BUFFER_HEADER":
                self._take_buffer_header(data)
            case "BUFFER_PAYLOAD":
                self._buffers.append((self._buffer_id, data))
                return self._complete()
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
        if header.num_buffers > LIMITS.message_buffers:
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

    def _complete(self) -> Incoming | None:
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
    except UnicodeEncodeError as error:  # a lone surrogate, which RFC 6455 does not allow
        raise ProtocolError(_UNPARSABLE, close_code=INVALID_DATA) from error


def _too_big() -> ProtocolError:
    return ProtocolError("message too big", close_code=TOO_BIG)
