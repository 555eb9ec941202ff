"""Messages and their fragments, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

MALFORMED = 1002
WRONG_KIND = 1003
INVALID_DATA = 1007
TOO_BIG = 1009
"""Close codes of RFC 6455, section 7.4.1, for what can be wrong with a message."""

MAX_REASON_BYTES = 123
"""RFC 6455, section 5.5: a control frame carries 125 bytes, two of them the close code."""

Outgoing: TypeAlias = tuple[bytes | memoryview, ...]
"""The fragments of one message, in order: header, metadata, content, then (buffer header, payload) pairs.

A fragment is binary if its index is 4 or more and even (``is_binary``), else it is UTF-8 text. The same tuple
may be shared by many connections, so that what goes to many is encoded once.
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole message from a client, its content not yet parsed: the lane does that, not the event loop."""

    msgid: str
    msgtype: str
    content: bytes
    buffers: tuple[tuple[str, bytes], ...] = ()
    """Pairs of a buffer's id and its bytes."""
    reqid: str | None = None


def is_binary(index: int) -> bool:
    """Whether the fragment at ``index`` (from 0) of a message travels in a binary frame."""
    return index >= 4 and index % 2 == 0


JSON: TypeAlias = Any
"""Whatever JSON can say."""


@dataclass(frozen=True, slots=True)
class Close:
    """An order to close the websocket."""

    code: int
    """A close code of RFC 6455."""
    reason: str


def close_reason(text: str) -> str:
    """``text``, cut to what a close frame can carry; what UTF-8 can't say is left out."""
    return text.encode("utf-8", "ignore")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
