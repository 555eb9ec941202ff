"""What servers say, made fit to be printed: no escape sequences, nothing endless."""

from __future__ import annotations

import unicodedata

_LONGEST = 300
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, longest: int = _LONGEST) -> str:
    """The text on one line; whatever could move a cursor, colour a terminal or turn the reading order is ``?``."""
    cut = text[:longest + 1]
    words = " ".join(visible(cut).split())
    return words if len(cut) <= longest else f"{words[:longest - 1]}…"


def visible(text: str) -> str:
    """The text with ``?`` for all that is not seen, but for tabs and ends of lines."""
    return "".join("?" if _is_unseen(letter) else letter for letter in text)


def _is_unseen(letter: str) -> bool:
    return letter not in "\t\n\r" and unicodedata.category(letter) in _UNSEEN


def duration(seconds: float) -> str:
    """As one says it: ``300 ms``, ``40 s``, ``5 minutes``, ``3 days``."""
    if seconds < 1:
        return f"{max(seconds * 1000, 1):.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} s"


def size(count: int) -> str:
    """A number of bytes: ``700 bytes``, ``8 KB``, ``1.2 MB``."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.0f} KB"
