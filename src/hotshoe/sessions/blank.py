"""Says that an app has added nothing to its document: a page would be blank, without a word in it or in the log.

An app may fill its document later, so nothing is said while it is at work or has callbacks to come; at most for
``PATIENCE_S``. When the first root comes, the page's words go away.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from bokeh.core.templates import FILE
from bokeh.document import Document
from bokeh.document.document import DEFAULT_TITLE

from ..base.logs import PacedLog
from ..base.threads import post

_log = PacedLog(logging.getLogger("hotshoe.app"), most=1)

WAIT_S = 1.5
PATIENCE_S = 12.0

REASONS = (
    'The code stands below if __name__ == "__main__": an app is not run as __main__, so call it without that line.',
    "It calls show() or .show(): add the model with curdoc().add_root() instead, or by Panel's .servable().",
    "No object of Panel is marked by .servable().",
)


class Watched(Protocol):
    """A session, as it is seen here."""

    app_url: str
    dev: bool
    document: Document
    loop: asyncio.AbstractEventLoop

    @property
    def destroyed(self) -> bool: ...
    @property
    def busy(self) -> bool: ...
    def notify(self, metadata: Mapping[str, Any]) -> None:
        """Send data to our script in all pages."""


class Blank:
    """Watches the document of one session as long as it has no root."""

    def __init__(self, session: Watched) -> None:
        self._session = weakref.ref(session)
        self._loop = session.loop
        self._is_watched = False
        self._is_told = False

    def look(self) -> None:
        """A page shows the document now, or pulls it. May be called from any thread."""
        if not self._is_watched:
            self._is_watched = True
            post(self._loop, self._look_later, self._loop.time() + PATIENCE_S)

    def end(self) -> None:
        """The document has a root."""
        if (session := self._session()) is not None and self._is_told:
            session.notify({"blank": False})

    def _look_later(self, end_s: float) -> None:
        self._loop.call_later(WAIT_S, self._check, end_s)

    def _check(self, end_s: float) -> None:
        session = self._session()
        if session is None or session.destroyed:
            return
        # In this order: a callback that begins meanwhile is one to come, or at work, or has added its root.
        is_at_work = bool(session.document.session_callbacks) or session.busy
        if not is_blank(session.document):
            return
        if is_at_work and self._loop.time() < end_s:
            self._look_later(end_s)
            return
        self._is_watched = False
        _log.warning("app %s has added nothing to its document, so its page is blank. Usual reasons: %s",
                     session.app_url, " ".join(REASONS), kind=session.app_url, extra={"app": session.app_url})
        if session.document.title == DEFAULT_TITLE:  # it may be a page on purpose
            self._is_told = True
            session.notify({"blank": {"reasons": REASONS if session.dev else ()}})
            if not is_blank(session.document):  # it has got a root just now, on its thread
                session.notify({"blank": False})


def is_blank(document: Document) -> bool:
    """Whether a page of the document shows nothing: there is no root, and no template of its own."""
    return not document.roots and document.template is FILE
