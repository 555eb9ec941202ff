"""Python source as spans of text and kind, for a page that colours them. Any text is accepted; nothing is lost."""

from __future__ import annotations

import io
import keyword
import token
import tokenize
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["", "comment", "string", "number", "keyword", "name"]

_KINDS: dict[int, Kind] = {token.COMMENT: "comment", token.STRING: "string", token.NUMBER: "number"}
_FSTRING = {getattr(token, f"FSTRING_{part}", -1) for part in ("START", "MIDDLE", "END")}  # from Python 3.12 on
_DEFINE = ("def", "class")


class Span(NamedTuple):
    """A piece of the source; ``kind`` is empty for what has no colour."""

    text: str
    kind: Kind = ""


def highlight(source: str) -> list[Span]:
    """Spans that joined are ``source``; one span if it is no Python."""
    try:
        spans = list(_spans(source))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return [Span(source)]
    return spans if "".join(span.text for span in spans) == source else [Span(source)]


def _spans(source: str) -> Iterator[Span]:
    starts = [0]
    for line in io.StringIO(source):  # the lines that tokenize sees: str.splitlines knows more ends of a line
        starts.append(starts[-1] + len(line))
    at = 0
    before = ""
    for each in tokenize.generate_tokens(io.StringIO(source).readline):
        if kind := _kind(each, before):
            start, end = (starts[row - 1] + column for row, column in (each.start, each.end))
            if start > at:
                yield Span(source[at:start])
            yield Span(source[start:end], kind)
            at = end
        before = each.string
    yield Span(source[at:])


def _kind(each: tokenize.TokenInfo, before: str) -> Kind:
    if each.type == token.NAME:
        if before in _DEFINE:
            return "name"
        return "keyword" if keyword.iskeyword(each.string) else ""
    return "string" if each.type in _FSTRING else _KINDS.get(each.type, "")
