"""The header ``Forwarded`` (RFC 7239), and ``X-Forwarded-Prefix``. Pure: text in, values out; nothing is believed here.

A visitor can have written any of it. What is not well-formed as a whole says nothing, as nobody can tell where in it
the words of a proxy begin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LONGEST = 8192
"""Characters of all ``Forwarded`` headers together; a dozen proxies write less than a tenth of it."""
PREFIX_LONGEST = 512

_TCHAR = r"!#$%&'*+.^_`|~0-9A-Za-z-"
# Unquoted addresses with colons and brackets break the grammar, and are common.
_PAIR = re.compile(rf"([{_TCHAR}]+)=(?:([\[\]:{_TCHAR}]+)|\"((?:[^\"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)\")")
_GAP = re.compile(r"[ \t]*([;,])[ \t]*")
_ESCAPED = re.compile(r"\\(.)")
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~@+=:!$-]+)+")


def elements(lines: Iterable[str]) -> list[dict[str, str]] | None:
    """What each proxy says, outermost first, by parameter in lower case; ``None`` if it is malformed or too long."""
    lines = list(lines)
    if sum(map(len, lines)) > LONGEST:
        return None
    found: list[dict[str, str]] = []
    for line in lines:
        if (some := _of_line(line.strip(" \t"))) is None:
            return None
        found += some
    return found


def _of_line(line: str) -> list[dict[str, str]] | None:
    found: list[dict[str, str]] = [{}]
    at = 0
    while True:
        if pair := _PAIR.match(line, at):
            name = pair[1].lower()
            if name in found[-1]:  # RFC 7239, section 4
                return None
            found[-1][name] = pair[2] or _ESCAPED.sub(r"\1", pair[3] or "")
            at = pair.end()
        if at == len(line):
            return [element for element in found if element]
        gap = _GAP.match(line, at)
        if gap is None:
            return None
        if gap[1] == ",":
            found.append({})
        at = gap.end()


def joined_prefix(parts: Sequence[str]) -> str | None:
    """The prefixes that proxies have cut off, outermost first, as one path without a slash at its end.

    Empty if they have cut off none; ``None`` unless each is a path of plain characters without empty names and steps
    up, so that it can stand in an address, a header or a page.
    """
    named = [part.removesuffix("/") for part in parts]
    whole = "".join(named)
    is_sane = len(whole) <= PREFIX_LONGEST and all(not part or _PREFIX.fullmatch(part) for part in named)
    return whole if is_sane else None
