"""Decides from a request's headers how to send a file: its encoding, and conditional and range requests (RFC 9110,
sections 12 to 14). Also compresses bodies and keeps them in memory. All functions block.
"""

from __future__ import annotations

import email.utils
import re
import threading
import zlib
from collections import OrderedDict
from typing import Literal, TypeAlias

import brotli  # type: ignore[import-untyped]

from ...base.files import refusal

Encoding: TypeAlias = 'Literal["br", "gzip"]'
_ENCODINGS: tuple[Encoding, ...] = ("br", "gzip")

_SMALL_BYTES = 2 * 2**20
"""Bodies up to this size, such as all of BokehJS, are compressed at a slower level.

bokeh.min.js (1.27 MB) by brotli: level 5 leaves 316 KB, 9 leaves 306 KB in 50 ms, 11 leaves 279 KB in 2 s. 8 MB of
numbers as JSON take 1.1 s at level 9, and 0.3 s at level 5, which leaves 3 % more.
"""


def preferred_encoding(accept_encoding: str) -> Encoding | None:
    """The encoding that ``Accept-Encoding`` prefers, brotli at equal weight; ``None`` for neither brotli nor gzip."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.partition(";")
        weights[name.strip()] = _weight(parameters)
    other = weights.get("*", 0.0)
    ranked = [(weights.get(name, weights.get("x-gzip", other) if name == "gzip" else other), name)
              for name in _ENCODINGS]
    best = max(ranked, key=lambda pair: pair[0])
    return best[1] if best[0] > 0 and best[0] >= weights.get("identity", 0.0) else None


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def compress(data: bytes, encoding: Encoding) -> bytes:
    """The body in this encoding. The same body always gives the same bytes."""
    if encoding == "gzip":
        return zlib.compress(data, 6, wbits=31)
    compressed: bytes = brotli.compress(data, quality=9 if len(data) <= _SMALL_BYTES else 5)
    return compressed


class Memory:
    """The most recently used bodies, together no larger than ``limit_bytes``. For any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bodies: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...]) -> bytes | None:
        """The body, which becomes the most recently used one; ``None`` if it is not kept."""
        with self._lock:
            body = self._bodies.get(key)
            if body is not None:
                self._bodies.move_to_end(key)
            return body

    def put(self, key: tuple[str, ...], body: bytes) -> None:
        """Keep a body, unless it is larger than a quarter of the limit."""
        with self._lock:
            self._size -= len(self._bodies.pop(key, b""))
            if len(body) > self._limit // 4:
                return
            self._bodies[key] = body
            self._size += len(body)
            while self._size > self._limit:
                self._size -= len(self._bodies.popitem(last=False)[1])


def parse_range(header: str, size: int) -> range | None:
    """The bytes of a single range; ``None`` if the server must ignore the header. Raises ``refusal(416)``."""
    match = re.fullmatch(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})", header.strip(), re.IGNORECASE | re.ASCII)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0 or size == 0:
            raise refusal(416)
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise refusal(416)
    return range(int(first), min(int(last) + 1, size) if last else size)


def matches(header: str, digest: str) -> bool:
    """Whether ``If-None-Match`` names the content, in any encoding."""
    if header.strip() == "*":
        return True
    tags = re.findall(r'(?:W/)?"([^"]*)"', header)
    return any(tag == digest or tag.startswith(f"{digest}-") for tag in tags)


def unmodified_since(header: str, mtime_ns: int) -> bool:
    """Whether the file has not changed since the time in ``If-Modified-Since``."""
    try:
        return mtime_ns // 10**9 <= email.utils.parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False


def http_date(mtime_ns: int) -> str:
    """A file's time in the format of headers."""
    return email.utils.formatdate(max(0, mtime_ns // 10**9), usegmt=True)
