"""Messages that wait to be sent or confirmed. No I/O. Any thread puts them, the event loop takes them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bokeh.document.events import DocumentPatchedEvent

from ..wire import Outgoing

ROOM_BYTES = 64 * 1024 * 1024
"""If more is queued, a thread that changes the document has to wait for the network."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message; ``event`` is the change in it, if it has one."""

    msgid: str
    fragments: Outgoing
    event: DocumentPatchedEvent | None = None

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return sum(len(fragment) for fragment in self.fragments)


class SendQueue:
    """Messages in order. ``put`` calls ``wake``, on its own thread, when there is a message to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed = threading.Condition()
        self._queue: deque[QueuedMessage] = deque()
        self._queued_bytes = 0
        self._unconfirmed: dict[str, DocumentPatchedEvent] = {}

    def put(self, item: QueuedMessage) -> None:
        """Add a message."""
        with self._changed:
            self._queue.append(item)
            self._queued_bytes += item.size_bytes
        self._wake()

    def take(self) -> QueuedMessage | None:
        """The next message, if there is one. From now on, a change waits for its confirmation."""
        with self._changed:
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._queued_bytes -= item.size_bytes
            if item.event is not None:
                self._unconfirmed[item.msgid] = item.event
            self._changed.notify_all()
            return item

    def confirm(self, msgid: str) -> bool:
        """Note an answer of the server. Returns whether a change waited for it."""
        with self._changed:
            return self._unconfirmed.pop(msgid, None) is not None

    def clear(self) -> tuple[list[DocumentPatchedEvent], list[DocumentPatchedEvent]]:
        """Empty it. Returns the changes that may have arrived, and those that have not been sent."""
        with self._changed:
            sent, unsent = [*self._unconfirmed.values()], self._unsent
            self._unconfirmed.clear()
            self._queue.clear()
            self._queued_bytes = 0
            self._changed.notify_all()
            return sent, unsent

    def wait_for_room(self) -> None:
        """Wait, in a thread, until the queue is short enough."""
        with self._changed:
            self._changed.wait_for(lambda: self._queued_bytes <= ROOM_BYTES)

    @property
    def unconfirmed(self) -> list[DocumentPatchedEvent]:
        """The changes that have possibly not arrived."""
        with self._changed:
            return [*self._unconfirmed.values(), *self._unsent]

    @property
    def _unsent(self) -> list[DocumentPatchedEvent]:
        return [item.event for item in self._queue if item.event is not None]
