"""What a message means: its type, and its content as JSON data."""

from __future__ import annotations

import json
from typing import Literal, TypeAlias, cast, get_args

import msgspec

from ..errors import ProtocolError
from .messages import INVALID_DATA, JSON, MALFORMED, Incoming, close_reason

Kind: TypeAlias = Literal["PATCH-DOC", "PULL-DOC-REQ", "PUSH-DOC", "SERVER-INFO-REQ"]
"""The types of message that a server takes."""

KINDS: frozenset[str] = frozenset(get_args(Kind))

_TO_CLIENTS = frozenset({"ACK", "ERROR", "OK", "PULL-DOC-REPLY", "SERVER-INFO-REPLY"})

_decoder = msgspec.json.Decoder()


def kind_of(message: Incoming) -> Kind:
    """The message's type. Raises ``ProtocolError`` if it is none that a client may send."""
    if message.msgtype in KINDS:
        return cast("Kind", message.msgtype)
    if message.msgtype in _TO_CLIENTS:
        raise ProtocolError(f"Message {message.msgtype!r} not expected on server", close_code=MALFORMED)
    raise ProtocolError(close_reason(f"Unknown message type {message.msgtype!r}"), close_code=MALFORMED)


def decode_content(message: Incoming) -> dict[str, JSON]:
    """The message's content. Raises ``ProtocolError`` if it is not JSON, or not an object."""
    try:
        content = _parse(message.content)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("server failed to parse a message", close_code=INVALID_DATA) from error
    if not isinstance(content, dict):
        raise ProtocolError("message content is not an object", close_code=MALFORMED)
    return content


def _parse(data: bytes) -> JSON:
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        # Bokeh reads by Python's json, which also takes NaN, Infinity, 1e999 and lone surrogates.
        return json.loads(data.decode())
