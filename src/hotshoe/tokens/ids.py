"""Session ids: random, or chosen by a client; signed where there is a key."""

from __future__ import annotations

import secrets
import string

from .signing import is_signed, sign

ID_CHARS = 44
"""Random letters and digits of a generated id: 261 bits."""

MAX_ID_CHARS = 1024
"""Longest id that is accepted, signature included."""

_ALPHABET = string.ascii_letters + string.digits


def new_session_id(*, key: bytes | None = None) -> str:
    """A random session id; with a key ``id.signature``."""
    session_id = "".join(secrets.choice(_ALPHABET) for _ in range(ID_CHARS))
    return session_id if key is None else f"{session_id}.{sign(session_id, key)}"


def is_session_id(session_id: str) -> bool:
    """Whether the text can be a session id at all: not empty, not huge, nothing in it that a log would choke on."""
    return 0 < len(session_id) <= MAX_ID_CHARS and session_id.isprintable()


def check_session_id(session_id: str, key: bytes | None = None) -> bool:
    """Whether the id can be accepted: well-formed and, with a key, signed by it."""
    if not is_session_id(session_id):
        return False
    if key is None:
        return True
    bare, dot, signature = session_id.partition(".")
    return bool(dot) and is_signed(bare, signature, key)
