"""Session ids and session tokens in Bokeh's format, signed if there is a key.

A token is ``B64(json)``, or signed ``B64(json).B64(hmac)``. BokehJS reads ``session_id`` from it. Large payloads are
compressed into one field. Any client may send a token, so reading one raises ``TokenError`` and no other error.
"""

from __future__ import annotations

import json
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import TokenError
from .keys import from_base64, is_signed, sign, to_base64

ID_CHARS = 44
"""The number of random letters and digits in a generated id: 261 bits."""

MAX_ID_CHARS = 1024
"""The longest id that is accepted, with its signature."""

_ALPHABET = string.ascii_letters + string.digits

MAX_TOKEN_CHARS = 65_536
"""The longest token: it is sent in a request header, and servers limit these to this size or less."""

MAX_PAYLOAD_BYTES = 1 << 20
"""The largest payload as JSON, before compression."""

SMALL_PAYLOAD_BYTES = 256
"""Up to this size compression makes a payload longer, since it is then in base64 twice."""

class TokenTooLongError(ValueError):
    """A token would not fit into a request header."""


_ID = "session_id"
_EXPIRY = "session_expiry"
_DEFLATED = "__bk__zlib_"
_RESERVED = frozenset({_ID, _EXPIRY, _DEFLATED})

FORGED = "token has a wrong signature: it is of another app, server or key; load the page again"
"""The text of the error for a token that is not signed as it must be."""

_MAX_EXPIRY_S = 1 << 53
"""The largest exact integer in JavaScript; no real expiry is larger."""


def new_session_id(*, key: bytes | None = None) -> str:
    """A random session id; with a key ``id.signature``."""
    session_id = "".join(secrets.choice(_ALPHABET) for _ in range(ID_CHARS))
    return session_id if key is None else f"{session_id}.{sign(session_id, key)}"


def is_session_id(session_id: str) -> bool:
    """Whether the text can be a session id: not empty, not too long, and printable."""
    return 0 < len(session_id) <= MAX_ID_CHARS and session_id.isprintable()


def check_session_id(session_id: str, key: bytes | None = None) -> bool:
    """Whether the id is acceptable: well-formed and, with a key, signed by it."""
    if not is_session_id(session_id):
        return False
    if key is None:
        return True
    bare, dot, signature = session_id.partition(".")
    return bool(dot) and is_signed(bare, signature, key)


@dataclass(frozen=True, slots=True)
class Token:
    """The content of a token. Without a signature, any client may have made it up."""

    session_id: str
    expires_at_s: int | None
    """Unix time; ``None`` if the token has no expiry."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """Unchecked data: any JSON, and bytes."""

    def expired(self, now_s: float) -> bool:
        """Whether it is too old to create a session. As in Bokeh, a token without expiry always is."""
        return self.expires_at_s is None or now_s >= self.expires_at_s


def mint(session_id: str, *, now_s: float, lifetime_s: int, payload: Mapping[str, Any] = {},
         key: bytes | None = None) -> str:
    """A token that expires ``lifetime_s`` after ``now_s`` (Unix time); with a key it is signed.

    The payload may contain JSON data and bytes. Raises ``TokenTooLongError`` if the token would be too long, another
    ``ValueError`` if the payload has a field of the token itself or is too large, or for a wrong id; ``TypeError`` for
    other data.
    """
    if not is_session_id(session_id):
        raise ValueError(f"not a session id: {session_id!r:.80}")
    if reserved := _RESERVED.intersection(payload):
        raise ValueError(f"a token's payload can't contain {', '.join(sorted(reserved))}")
    fields = {_ID: session_id, _EXPIRY: int(now_s) + lifetime_s, **_packed(payload)}
    body = to_base64(_json(fields).encode())
    text = body if key is None else f"{body}.{sign(body, key)}"
    if len(text) > MAX_TOKEN_CHARS:
        raise TokenTooLongError(f"a token of {len(text)} characters is too long for a request header; put less into it")
    return text


def read(text: str, *, key: bytes | None = None) -> Token:
    """Read a token; with a key, check its signature and that of its session id.

    Raises ``TokenError`` if the text is not a token (``missing``, ``malformed``), or not made with the key
    (``forged``). Does not check the expiry: call ``Token.expired``.
    """
    if not text:
        raise TokenError("no token", reason="missing")
    if len(text) > MAX_TOKEN_CHARS:
        raise TokenError("token is too long", reason="malformed")
    body, _, signature = text.partition(".")
    if key is not None and not is_signed(body, signature, key):
        raise TokenError(FORGED, reason="forged")
    try:
        token = _parsed(body)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise TokenError("token can't be decoded", reason="malformed") from error
    if not check_session_id(token.session_id, key):
        raise TokenError("session id has a wrong signature", reason="forged")
    return token


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """The payload as JSON, with an escape for bytes. Raises ``TypeError`` for other data."""
    return json.dumps(payload, default=_escaped, separators=(",", ":")).encode()


def decode_payload(data: bytes) -> dict[str, Any]:
    """The inverse of ``encode_payload``. Raises ``ValueError`` for other data."""
    return {name: _with_bytes(value) for name, value in _object(data).items()}


def is_signed_by(text: str, key: bytes) -> bool:
    """Whether the whole token is signed with the key; does not check its session id."""
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
        inner = decode_payload(_inflated(from_base64(fields[_DEFLATED])))
        payload |= {name: value for name, value in inner.items() if name not in _RESERVED}
    return Token(session_id, expiry, payload)


def _packed(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload as fields of the token: unchanged if it is small and plain JSON, else compressed, as in Bokeh.

    Bokeh allows bytes only in compressed payloads. Python's NaN, which BokehJS cannot parse, is safe only there:
    BokehJS does not read compressed payloads.
    """
    if _is_plain(payload):
        return payload
    text = encode_payload(payload)
    if len(text) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a token's payload of {len(text)} bytes is too large; put less into it")
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
    raise TypeError(f"a token can't contain a {type(value).__name__}")


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
        raise ValueError("incomplete, or followed by more data")
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
