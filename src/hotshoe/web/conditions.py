"""Conditional and range requests (RFC 9110, sections 13 and 14), as pure functions over header values."""

from __future__ import annotations

import email.utils
import re
from dataclasses import dataclass

from hotshoe.web.files import refusal


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes ``start`` to ``end`` (exclusive)."""

    start: int
    end: int


def parse_range(header: str, size: int) -> Range | None:
    """A single byte range; ``None`` if the header is to be ignored. Raises ``refusal(416)``."""
    match = re.fullmatch(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})", header.strip(), re.IGNORECASE | re.ASCII)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0 or size == 0:
            raise refusal(416)
        return Range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise refusal(416)
    return Range(int(first), min(int(last) + 1, size) if last else size)


def matches(header: str, digest: str) -> bool:
    """Whether ``If-None-Match`` names the content, in whatever encoding the browser has it."""
    if header.strip() == "*":
        return True
    tags = re.findall(r'(?:W/)?"([^"]*)"', header)
    return any(tag == digest or tag.startswith(f"{digest}-") for tag in tags)


def unmodified_since(header: str, mtime_ns: int) -> bool:
    """Whether ``If-Modified-Since`` is no older than the file."""
    try:
        since = email.utils.parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return False
    try:
        return mtime_ns // 10**9 <= since.timestamp()
    except (ValueError, OverflowError):
        return False


def http_date(mtime_ns: int) -> str:
    return email.utils.formatdate(max(0, mtime_ns // 10**9), usegmt=True)
