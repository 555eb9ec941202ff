"""Messages and their fragments as values; the type and the content of a message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

import msgspec

from ..base.errors import ProtocolError
from ..config.limit_table import LIMITS

MALFORMED = 1002
WRONG_KIND = 1003
INVALID_DATA = 1007
TOO_BIG = 1009
"""Close codes of RFC 6455, section 7.4.1, for wrong messages."""

MAX_REASON_BYTES = 123
"""RFC 6455, section 5.5: a control frame has at most 125 bytes, of which two are the close code."""

Outgoing: TypeAlias = tuple[bytes | memoryview, ...]
"""The fragments of one message, in order: header, metadata, content, then (buffer header, payload) pairs.

A fragment is binary if its index is 4 or more and even (``is_binary``), else it is UTF-8 text. Many connections may
share one tuple, so that a message to many is encoded once.
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole message from a client. Its content is not parsed yet: that is done in the lane, not on the event loop."""

    msgid: str
    msgtype: str
    content: bytes
    buffers: tuple[tuple[str, bytes], ...] = ()
    """Pairs of a buffer's id and its bytes."""
    reqid: str | None = None


def is_binary(index: int) -> bool:
    """Whether the fragment at ``index`` (from 0) of a message is sent in a binary frame."""
    return index >= 4 and index % 2 == 0


JSON: TypeAlias = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True)
class Close:
    """A request to close the websocket."""

    code: int
    """A close code of RFC 6455."""
    reason: str


def close_reason(text: str) -> str:
    """``text``, cut to the size of a close frame, without characters that UTF-8 cannot encode."""
    return text.encode("utf-8", "ignore")[:MAX_REASON_BYTES].decode("utf-8", "ignore")


Kind: TypeAlias = Literal["PATCH-DOC", "PULL-DOC-REQ", "PUSH-DOC", "SERVER-INFO-REQ"]
"""The types of messages to a server."""

KINDS: frozenset[str] = frozenset(get_args(Kind))

_TO_CLIENTS = frozenset({"ACK", "ERROR", "OK", "PULL-DOC-REPLY", "SERVER-INFO-REPLY"})

_UNCOUNTED_BYTES = 65536
"""Values are not counted in shorter contents: they take 5 MB at most."""

_SPLIT_QUOTES_MOST = 1_000_000

_decoder = msgspec.json.Decoder()


def kind_of(message: Incoming) -> Kind:
    """The message's type. Raises ``ProtocolError`` if a client may not send it."""
    if message.msgtype in KINDS:
        return cast("Kind", message.msgtype)
    if message.msgtype in _TO_CLIENTS:
        raise ProtocolError(f"Message {message.msgtype!r} not expected on server", close_code=MALFORMED)
    raise ProtocolError(close_reason(f"Unknown message type {message.msgtype!r}"), close_code=MALFORMED)


def check_values(message: Incoming) -> None:
    """Raise ``ProtocolError`` if the content of a client's message would take too much memory as values."""
    if len(message.content) > _UNCOUNTED_BYTES and not _has_few_values(message.content):
        raise ProtocolError("message has too many values", close_code=TOO_BIG)


def decode_content(message: Incoming) -> dict[str, JSON]:
    """The message's content. Raises ``ProtocolError`` if it is not JSON, or not an object."""
    try:
        content = _parse(message.content)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("server failed to parse a message", close_code=INVALID_DATA) from error
    if not isinstance(content, dict):
        raise ProtocolError("message content is not an object", close_code=MALFORMED)
    return content


def _has_few_values(data: bytes) -> bool:
    """Whether JSON text has at most ``LIMITS.values`` values. Texts within it may look like many more."""
    if _weight(data) <= LIMITS.values:
        return True
    data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A part for each quotation mark must not take more memory than the values themselves.
    return data.count(b'"') <= _SPLIT_QUOTES_MOST and _weight(b"".join(data.split(b'"')[::2])) <= LIMITS.values


def _weight(data: bytes) -> int:
    return data.count(b",") + 4 * data.count(b"[") + 10 * data.count(b"{")


def _parse(data: bytes) -> JSON:
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        # Bokeh uses Python's json, which also accepts NaN, Infinity, 1e999 and lone surrogates.
        return json.loads(data.decode())
