"""What the index shows of an app: the words of its docstring or first Markdown cell, and a picture. Nothing is run."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_TITLE_LENGTH = 40
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[*`]|(?<!\w)_|_(?!\w)")
_ROLE = re.compile(r"(?::[\w:+-]+:)?(`+)([^`<]+?)\s*(?:<[^>`]*>)?\1_{0,2}")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_PICTURES = (".webp", ".png", ".jpg")


class Description(NamedTuple):
    """Both may be empty."""

    title: str = ""
    text: str = ""


def from_docstring(docstring: str | None) -> Description:
    """A short first line that stands alone, no sentence, is the title; the next paragraph is the text."""
    paragraphs = _paragraphs(inspect.cleandoc(docstring or ""))
    if not paragraphs:
        return Description()
    first = paragraphs[0]
    if len(first) > 1 or not _is_title(first[0]):
        return Description("", _without_roles(" ".join(first)))
    return Description(first[0], _without_roles(" ".join(paragraphs[1])) if len(paragraphs) > 1 else "")


def from_markdown(source: str) -> Description:
    """A leading heading is the title; the first paragraph after it is the text, without markup."""
    paragraphs = _paragraphs(source)
    if not paragraphs:
        return Description()
    heading = _HEADING.match(paragraphs[0][0])
    if heading is None:
        return Description("", _plain(" ".join(paragraphs[0])))
    rest = [paragraph for paragraph in (paragraphs[0][1:], *paragraphs[1:2]) if paragraph]
    text = " ".join(rest[0]) if rest and not _HEADING.match(rest[0][0]) else ""
    return Description(_plain(heading[1]), _plain(text))


def title_from_name(name: str) -> str:
    """``selection_histogram`` → ``Selection histogram``."""
    words = re.sub(r"[_\-\s]+", " ", name).strip()
    return words[:1].upper() + words[1:]


def thumbnail_of(path: Path) -> Path | None:
    """The picture of the app at ``path``: ``thumbnail.png`` in its folder, ``thumbnails/NAME.png`` beside a file.

    Also ``.webp`` and ``.jpg``. The names say that the picture is there to be shown: it is served to everyone.
    """
    place = path / "thumbnail" if path.is_dir() else path.parent / "thumbnails" / path.stem
    found = (place.with_name(place.name + suffix) for suffix in _PICTURES)
    return next((picture for picture in found if picture.is_file()), None)


def _paragraphs(text: str) -> list[list[str]]:
    blocks = (block.splitlines() for block in re.split(r"\n\s*\n", text.strip()))
    return [lines for block in blocks if (lines := [line.strip() for line in block if line.strip()])]


def _is_title(line: str) -> bool:
    return len(line) <= _TITLE_LENGTH and not line.endswith((".", ":", "!", "?", ","))


def _without_roles(text: str) -> str:
    """``:ref:`a <b>```, ``` `a`_ ``` and ``` ``a`` ``` are ``a``."""
    return _ROLE.sub(r"\2", text)


def _plain(markdown: str) -> str:
    return _MARKUP.sub("", _LINK.sub(r"\1", markdown)).strip()
