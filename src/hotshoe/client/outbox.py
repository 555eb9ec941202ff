"""What waits to be sent, and what was sent and is not confirmed. No I/O; any thread may put, the loop takes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bokeh.document.events import DocumentPatchedEvent

from ..wire import Outgoing

ROOM_BYTES = 64 * 1024 * 1024
"""A thread that changes the document faster than the network takes it waits once this much is queued."""


@dataclass(frozen=True, slots=True)
class Item:
    """A message; ``event`` is the change that it says, if it says one."""

    msgid: str
    fragments: Outgoing
    event: DocumentPatchedEvent | None = None

    @property
    def size_bytes(self) -> int:
        """What it costs to keep."""
        return sum(len(fragment) for fragment in self.fragments)


class Outbox:
    """Messages in order; ``wake`` is called, from the thread that puts, when there is one to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed = threading.Condition()
        self._queue: deque[Item] = deque()
        self._queued_bytes = 0
        self._unconfirmed: dict[str, Item] = {}

    def put(self, item: Item) -> None:
        """Add a message."""
        with self._changed:
            self._queue.append(item)
            self._queued_bytes += item.size_bytes
        self._wake()

    def take(self) -> Item | None:
        """The next message, if there is one; a change waits for its confirmation from now on."""
        with self._changed:
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._queued_bytes -= item.size_bytes
            if item.event is not None:
                self._unconfirmed[item.msgid] = Item(item.msgid, (), item.event)
            self._changed.notify_all()
            return item

    def confirm(self, msgid: str) -> bool:
        """The other side has answered; whether it was a change that waited for it."""
        with self._changed:
            return self._unconfirmed.pop(msgid, None) is not None

    def cut(self) -> tuple[list[DocumentPatchedEvent], list[DocumentPatchedEvent]]:
        """Empty it, since the connection has ended: the changes that may have arrived, and those that have not."""
        with self._changed:
            sent = [item.event for item in self._unconfirmed.values() if item.event is not None]
            unsent = [item.event for item in self._queue if item.event is not None]
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
        """The changes of which it is not known that they have arrived."""
        with self._changed:
            items = [*self._unconfirmed.values(), *self._queue]
        return [item.event for item in items if item.event is not None]
