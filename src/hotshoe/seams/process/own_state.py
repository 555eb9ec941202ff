"""What each session has of its own where Python and its libraries have one for the whole process."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from bokeh.document import Document

from ..current import current_document

log = logging.getLogger("hotshoe.app")

WARNINGS_MOST = 1000
"""How many warnings are remembered, so that each app is warned once of each kind."""


class Own:
    """The state of one session. Its figures are those of pyplot; its generators those of seeds that it has set."""

    __slots__ = ("__weakref__", "app_url", "figures", "generators")

    def __init__(self, app_url: str) -> None:
        self.app_url = app_url
        self.figures: OrderedDict[Any, Any] = OrderedDict()
        self.generators: dict[str, Any] = {}

    def clear(self) -> None:
        """Let go of all, since the session has ended."""
        self.figures.clear()
        self.generators.clear()


_SPECIAL = ("__contains__", "__delitem__", "__eq__", "__getitem__", "__iter__", "__len__", "__repr__", "__reversed__",
            "__setitem__")
_own: ContextVar[Own | None] = ContextVar("hotshoe_own", default=None)
_of_documents: WeakKeyDictionary[Document, Own] = WeakKeyDictionary()
_lock = threading.Lock()
_warned: set[tuple[str, str]] = set()


def begin_own(document: Document, app_url: str) -> Own:
    """Give the session of ``document`` a state of its own. Call it in the context in which its code will run."""
    own = Own(app_url)
    _own.set(own)
    _of_documents[document] = own
    return own


def current_own() -> Own | None:
    """The state of the session whose code runs here; ``None`` elsewhere, where that of the process counts.

    Code runs for a session in its context, and where the app or a library has set ``curdoc()`` to its document.
    """
    own = _own.get()
    if own is not None:
        return own
    document = current_document()
    return None if document is None else _of_documents.get(document)


def forwarding(current: Callable[[], Any], *names: str) -> Any:
    """An object whose special methods, and those with these names, are those of ``current()`` at each call."""

    def forward(name: str) -> Callable[..., Any]:
        def call(self: object, *arguments: Any, **options: Any) -> Any:
            return getattr(current(), name)(*arguments, **options)

        return call

    return type("Forwarding", (), {name: forward(name) for name in (*_SPECIAL, *names)})()


def warn_once(own: Own, kind: str, message: str) -> None:
    """Log ``message`` unless an app at the same URL has been warned of the same kind."""
    key = own.app_url, kind
    with _lock:
        if key in _warned or len(_warned) >= WARNINGS_MOST:
            return
        _warned.add(key)
    log.warning("%s: %s", own.app_url, message)
