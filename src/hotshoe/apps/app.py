"""An app as a value: the function that fills a document, its hooks, and its entry in the index.

For the index no code is run: title and text come from the docstring or the first Markdown cell.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from bokeh.document import Document

    from ..http.requests import Request

ServerHook = Callable[[Any], Any]
"""Is called with the server context: ``sessions``, ``application_context``."""
SessionHook = Callable[[Any], Any]
"""Is called with the session context: ``id``, ``request``, ``destroyed``, …"""


HOOKS = {
    "on_server_loaded": "server_context",
    "on_server_unloaded": "server_context",
    "on_session_created": "session_context",
    "on_session_destroyed": "session_context",
    "process_request": "request",
}
"""The functions that an app may have as hooks, and the names of their arguments."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of an app. Each may be missing, a plain or an async function; the caller awaits the result."""

    server_loaded: ServerHook | None = None
    server_unloaded: ServerHook | None = None
    session_created: SessionHook | None = None
    """Runs before the app's own code."""
    session_destroyed: SessionHook | None = None
    process_request: Callable[[Request], Any] | None = None
    """Returns a dictionary of JSON data, which becomes part of the session token's payload."""


@dataclass(frozen=True, slots=True)
class App:
    """Something that can fill a document.

    ``build`` is called with an empty document while ``curdoc()`` is that document, possibly in several threads at
    once for different documents. It raises the app's exceptions, ``SystemExit`` too.
    """

    build: Callable[[Document], None]
    title: str = ""
    description: str = ""
    hooks: Hooks = Hooks()
    static_dir: Path | None = None
    metadata: Callable[[], Any] = dict
    """Returns the JSON data for ``data`` of ``/app/metadata``."""
    thumbnail: Path | None = None
    """A picture of the app for the index."""
    source: Path | None = None
    """The script, notebook or main file."""
    package: ModuleType | None = None
    """The package in which the relative imports of its main program start."""
    origin: str = ""
    """What the app is made from: a file, or the file and name of a function. A newer version has the same origin."""
    application: Any = None
    """The Application object that the app is made from, if it is made from one."""
    begins_panel: bool = False
    """Whether the app prepares Panel itself, as Panel's Application does; for others that is done before ``build``."""
    fills: bool = True
    """Whether ``build`` adds something to the document. If not, clients do."""


_TITLE_LENGTH = 40
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[*`]|(?<!\w)_|_(?!\w)")
_ROLE = re.compile(r"(?::[\w:+-]+:)?(`+)([^`<]+?)\s*(?:<[^>`]*>)?\1_{0,2}")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_PICTURES = (".webp", ".png", ".jpg")


class Description(NamedTuple):
    """Title and text of an app for the index; both may be empty."""

    title: str = ""
    text: str = ""


def from_docstring(docstring: str | None) -> Description:
    """The title is a short first line that stands alone and is not a sentence; the text is the next paragraph."""
    paragraphs = _paragraphs(inspect.cleandoc(docstring or ""))
    if not paragraphs:
        return Description()
    first = paragraphs[0]
    if len(first) > 1 or not _is_title(first[0]):
        return Description("", _without_roles(" ".join(first)))
    return Description(first[0], _without_roles(" ".join(paragraphs[1])) if len(paragraphs) > 1 else "")


def from_markdown(source: str) -> Description:
    """The title is a heading at the start; the text is the first paragraph after it, without markup."""
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
    """The picture of the app at ``path``: ``thumbnail.png`` in its folder, or ``thumbnails/NAME.png`` beside a file.

    Also ``.webp`` and ``.jpg``. The picture is served to everybody.
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
    """``:ref:`a <b>```, ``` `a`_ ``` and ``` ``a`` ``` become ``a``."""
    return _ROLE.sub(r"\2", text)


def _plain(markdown: str) -> str:
    return _MARKUP.sub("", _LINK.sub(r"\1", markdown)).strip()
