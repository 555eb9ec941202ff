"""One piece of locked work, and what it changed.

Each change is encoded when it is made. When the section ends, the changes leave as one PATCH-DOC for each
connection, which differs only in what the originator does not get back. A long section is told as it goes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

from .. import wire
from ..wire.messages import Outgoing
from .encoding import EncodedEvent

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session

current: ContextVar[Section | None] = ContextVar("hotshoe_section", default=None)
"""The section this context runs in. A task that outlives its section still has it here, closed."""


class Section:
    """Collects the changes of one piece of locked work of ``session``.

    ``origin`` is whose message is being handled, if it is a message.
    """

    __slots__ = ("events", "mutex", "origin", "session", "started_s", "told_s")

    def __init__(self, session: Session, origin: Connection | None = None) -> None:
        self.session: Session | None = session
        self.origin = origin
        self.events: list[EncodedEvent] = []
        self.mutex = threading.Lock()
        self.started_s = self.told_s = time.monotonic()

    def add(self, event: EncodedEvent) -> None:
        """One more change."""
        with self.mutex:
            self.events.append(event)

    def take(self) -> list[EncodedEvent]:
        """The changes that were not told yet, which now are. Call it with ``mutex`` held."""
        events, self.events = self.events, []
        self.told_s = time.monotonic()
        return events

    def close(self) -> None:
        """The lock is given up. The context keeps the section as its last one, but not the session with it."""
        with self.mutex:  # so that who looks at it meanwhile, on the loop, is done with it
            self.session = self.origin = None


def patches(events: Sequence[EncodedEvent]) -> list[Outgoing]:
    """Changes as PATCH-DOC messages: one, but for models that are defined anew."""
    return [_patch(group) for group in _groups(events)]


def _patch(events: Sequence[EncodedEvent]) -> Outgoing:
    needs: set[str] = set()
    for event in events:
        needs |= event.needs
    buffers = [buffer for event in events for buffer in event.buffers]
    return wire.patch_doc([event.json for event in events], buffers, sorted(needs))


def _groups(events: Sequence[EncodedEvent]) -> Iterator[Sequence[EncodedEvent]]:
    # BokehJS decodes all events of a message before it applies any. A model that was removed by one event and is
    # defined again by a later one would be known twice while decoding, so the later one begins a new message.
    start = 0
    for index, event in enumerate(events):
        if event.redefines and index > start:
            yield events[start:index]
            start = index
    if start < len(events):
        yield events[start:]
