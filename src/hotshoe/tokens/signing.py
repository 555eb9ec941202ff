"""Signatures as Bokeh makes them: HMAC-SHA256 over text, in URL-safe base64 without padding."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_BASE64 = re.compile(r"[A-Za-z0-9_-]*={0,2}")


def sign(text: str, key: bytes) -> str:
    """The signature of ``text``."""
    if not key:
        raise ValueError("an empty key signs nothing")
    return to_base64(hmac.digest(key, _bytes_of(text), hashlib.sha256))


def is_signed(text: str, signature: str, key: bytes) -> bool:
    """Whether ``signature`` is that of ``text``; takes as long for a wrong one as for the right one."""
    return hmac.compare_digest(_bytes_of(sign(text, key)), _bytes_of(signature))


def to_base64(data: bytes) -> str:
    """URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """What ``to_base64`` encoded. Raises ``ValueError`` for anything but URL-safe base64, padded or not."""
    if not _BASE64.fullmatch(text):  # b64decode would skip what is not of the alphabet
        raise ValueError("not URL-safe base64")
    bare = text.rstrip("=")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # whatever a peer sent has bytes, and so a signature
