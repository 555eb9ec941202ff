"""Session tokens in Bokeh's format: who made them is proved by a signature, what they carry is bounded.

A token is ``B64(json)``, signed ``B64(json).B64(hmac)``. BokehJS reads ``session_id`` from it. Large payloads are
deflated into one field. A token comes from anyone: reading one raises ``TokenError`` and nothing else.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import TokenError
from .ids import check_session_id, is_session_id
from .signing import from_base64, is_signed, sign, to_base64

MAX_TOKEN_CHARS = 65_536
"""Longest token: it travels in a request header, and servers bound those to this or less."""

MAX_PAYLOAD_BYTES = 1 << 20
"""Largest payload as JSON, however small it was deflated to."""

SMALL_PAYLOAD_BYTES = 256
"""Up to here deflating makes a payload longer rather than shorter, since it is base64 twice over."""

_ID = "session_id"
_EXPIRY = "session_expiry"
_DEFLATED = "__bk__zlib_"
_RESERVED = frozenset({_ID, _EXPIRY, _DEFLATED})

_MAX_EXPIRY_S = 1 << 53
"""Beyond it a JavaScript number is not exact, and nobody means it."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. Without a signature it is only what somebody claims."""

    session_id: str
    expires_at_s: int | None
    """Unix time; ``None`` if the token names none."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What was carried along. Its shape is unchecked: any JSON, and bytes."""

    def expired(self, now_s: float) -> bool:
        """Whether it is too old to create a session. A token that names no expiry always is, as in Bokeh."""
        return self.expires_at_s is None or now_s >= self.expires_at_s


def mint(
    session_id: str,
    *,
    now_s: float,
    lifetime_s: int,
    payload: Mapping[str, Any] = {},
    key: bytes | None = None,
) -> str:
    """A token that expires ``lifetime_s`` after ``now_s`` (Unix time); with a key it is signed.

    The payload may hold what JSON can say, and bytes. Raises ``ValueError`` if it names a field of the token itself
    or is too large for any token, or if the id can't be one; ``TypeError`` if the payload holds anything else.
    """
    if not is_session_id(session_id):
        raise ValueError(f"not a session id: {session_id!r:.80}")
    if reserved := _RESERVED.intersection(payload):
        raise ValueError(f"a token's payload can't contain {', '.join(sorted(reserved))}")
    fields = {_ID: session_id, _EXPIRY: int(now_s) + lifetime_s, **_packed(payload)}
    body = to_base64(_json(fields).encode())
    text = body if key is None else f"{body}.{sign(body, key)}"
    if len(text) > MAX_TOKEN_CHARS:
        raise ValueError(f"a token of {len(text)} characters is too long for a request header; carry less in it")
    return text


def read(text: str, *, key: bytes | None = None) -> Token:
    """What the token says; with a key, its signature and that of its session id are checked.

    Raises ``TokenError`` for every text that is no token (``missing``, ``malformed``), or not one made with the key
    (``forged``). An expired token is read like any other: ask ``Token.expired``.
    """
    if not text:
        raise TokenError("no token", reason="missing")
    if len(text) > MAX_TOKEN_CHARS:
        raise TokenError("token is too long", reason="malformed")
    body, _, signature = text.partition(".")
    if key is not None and not is_signed(body, signature, key):
        raise TokenError("token has a wrong signature", reason="forged")
    try:
        token = _parsed(body)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise TokenError("token can't be decoded", reason="malformed") from error
    if not check_session_id(token.session_id, key):
        raise TokenError("session id has a wrong signature", reason="forged")
    return token


def is_signed_by(text: str, key: bytes) -> bool:
    """Whether the token as a whole is signed with the key, whatever its session id is."""
    body, _, signature = text.partition(".")
    return is_signed(body, signature, key)


def _parsed(body: str) -> Token:
    fields = _object(from_base64(body))
    session_id = fields.get(_ID)
    if not isinstance(session_id, str) or not is_session_id(session_id):
        raise ValueError("no session id")
    expiry = fields.get(_EXPIRY)
    if expiry is not None and (type(expiry) is not int or not 0 <= expiry < _MAX_EXPIRY_S):
        raise ValueError("no time")
    payload = {name: value for name, value in fields.items() if name not in _RESERVED}
    if _DEFLATED in fields:
        inner = _object(_inflated(from_base64(fields[_DEFLATED])))
        payload |= {name: _with_bytes(value) for name, value in inner.items() if name not in _RESERVED}
    return Token(session_id, expiry, payload)


def _packed(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload as fields of the token: as it is if it is small and plain JSON, else deflated, as in Bokeh.

    Only in deflated payloads does Bokeh look for bytes, and does BokehJS not stumble over Python's NaN.
    """
    if _is_plain(payload):
        return payload
    text = json.dumps(payload, default=_escaped, separators=(",", ":")).encode()
    if len(text) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a token's payload of {len(text)} bytes is too large; carry less in it")
    return {_DEFLATED: to_base64(zlib.compress(text, level=9))}


def _is_plain(payload: Mapping[str, Any]) -> bool:
    try:
        return len(_json(payload)) <= SMALL_PAYLOAD_BYTES
    except (TypeError, ValueError):
        return False


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _escaped(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"bytes": to_base64(value)}
    raise TypeError(f"a token can't carry a {type(value).__name__}")


def _object(data: bytes) -> dict[str, Any]:
    value = json.loads(data.decode())
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, MAX_PAYLOAD_BYTES + 1)
    if len(text) > MAX_PAYLOAD_BYTES:
        raise ValueError("too large")
    if not inflater.eof or inflater.unused_data:
        raise ValueError("cut off, or followed by more")
    return text


def _with_bytes(value: Any) -> Any:
    match value:
        case {"bytes": str(text), **others} if not others:
            return from_base64(text)
        case dict():
            return {name: _with_bytes(item) for name, item in value.items()}
        case list():
            return [_with_bytes(item) for item in value]
    return value
