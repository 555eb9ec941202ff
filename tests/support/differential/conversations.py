"""What conversations with a server are made of: a question is a conversation, and what was said in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.support.differential.questions import token
from tests.support.raw_websocket import WebSocket

SILENCE_S = 12
"""How long to wait for an answer. Nothing that is asked here takes a server long, but a busy machine may."""

_fresh = count()

Facets = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question that is a conversation with the server at a port."""

    name: str
    talk: Callable[[int], Facets]
    site: str = "many"

    def hold(self, port: int) -> Facets:
        """What is said; a server may also keep silent."""
        try:
            return self.talk(port)
        except TimeoutError:
            return {"closed": "never, and no answer"}


def new_token() -> str:
    """A token of a session of its own."""
    return token(f"conversation-{next(_fresh)}")


def connect(port: int, path: str = "/sliders/ws", **more: Any) -> WebSocket:
    """A conversation that works, after its ACK."""
    socket = WebSocket(port, path, protocols=("bokeh", more.pop("token", None) or new_token()),
                       timeout_s=more.pop("timeout_s", SILENCE_S), **more)
    try:
        socket.until("ACK")
    except BaseException:
        socket.cut()
        raise
    return socket


def anonymous(text: str) -> str:
    """The text without ids that differ each time."""
    return re.sub(r"\b(p\d+|[0-9a-f]{8})\b", "ID", text)


def model_of(document: Facets, name: str) -> Facets:
    """The model of a pulled document with this name, wherever it stands."""
    return next(model for model in _models(document) if model.get("attributes", {}).get("name") == name)


def _models(value: Any) -> Iterator[Facets]:
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            yield value
        for part in value.values():
            yield from _models(part)
    elif isinstance(value, list):
        for part in value:
            yield from _models(part)
