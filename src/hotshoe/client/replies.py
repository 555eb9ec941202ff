"""What a server's answers say, checked."""

from __future__ import annotations

from typing import Any

from ..errors import ClientError, ProtocolError
from ..wire import Incoming, decode_content

OLDEST_BOKEH = 3
"""The oldest major version whose documents can be read."""


def in_one_line(text: Any) -> str:
    """What the other side says, fit for a terminal."""
    return "".join(character for character in " ".join(str(text).split()) if character.isprintable())[:500]


def content_of(message: Incoming) -> dict[str, Any]:
    """The content of any message. Raises ``ClientError`` if it is none."""
    try:
        content: dict[str, Any] = decode_content(message)
    except ProtocolError as error:
        raise ClientError(f"the server has sent what is no {message.msgtype:.40}; is it a Bokeh server?") from error
    return content


def document_of(message: Incoming) -> dict[str, Any]:
    """The document in a PULL-DOC-REPLY. Raises ``ClientError`` if there is none, or one that is too old."""
    content: Any = content_of(message).get("doc")
    is_document = isinstance(content, dict) and isinstance(content.get("roots"), list)
    if message.msgtype != "PULL-DOC-REPLY" or not is_document:
        raise ClientError("the server has not answered with a document; is it a Bokeh server?")
    document: dict[str, Any] = content
    check_version(document.get("version"))
    return document


def check_version(version: Any) -> None:
    """Raises ``ClientError`` if a server with this bokeh is too old."""
    major = str(version).partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_BOKEH:
        raise ClientError(f"the server's bokeh {version!s:.40} is too old: it has to be {OLDEST_BOKEH}.0 or later")
