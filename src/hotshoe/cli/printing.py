"""What commands print: names of files and users come from others, and must not control the terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with all characters escaped that are not printable; a line break too, so it is one line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
