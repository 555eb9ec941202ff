"""``pause_when_unwatched``: no work for pages that nobody has open."""

from __future__ import annotations

from typing import Any

from bokeh.document import Document

from .callbacks import pausing_callbacks
from .context import SessionContext


def pause_when_unwatched(what: Any) -> None:
    """Let a periodic callback rest while no browser or client is connected to its session.

    ``what`` is what ``add_periodic_callback`` has returned, or a document: then all its periodic callbacks rest,
    also those that are added later. Whoever connects finds them due at once. Timeout and next-tick callbacks are
    left alone, and so is the document's state; nothing is made up for.

    Raises ``RuntimeError`` for a document that belongs to no session of hotshoe, ``TypeError`` for anything else.
    """
    if isinstance(what, Document):
        context = what.session_context
        session = context.owner if isinstance(context, SessionContext) else None
        if session is None:
            raise RuntimeError("pause_when_unwatched needs a document that hotshoe serves")
        session.pause_when_unwatched()
    elif hasattr(what, "period") and hasattr(what, "callback"):
        pausing_callbacks.add(what)
    else:
        raise TypeError(f"{what!r} is neither a document nor a periodic callback")
