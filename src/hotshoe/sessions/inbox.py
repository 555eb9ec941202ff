"""The messages of one connection that wait: they are counted, and equal changes that follow each other collapse.

A slider that is dragged may send faster than its callback runs. If two successive changes set the same properties to
plain values, the second overwrites all effects of the first. So only the second runs; each gets its reply.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from .. import wire
from ..base.errors import ProtocolError
from ..base.threads import post
from ..config.limit_table import LIMITS
from ..wire.messages import Incoming

COLLAPSED_MOST = 256
"""How many messages may collapse into one: their ids are kept for the replies."""

COLLAPSIBLE_BYTES_MOST = 2048
"""Longer changes are not decoded here: the changes of a control are short."""

PLAIN = (str, int, float, bool, type(None))


class Waiting:
    """A message that waits for its lane, and the ids of the messages that have collapsed into it."""

    __slots__ = ("__weakref__", "_mutex", "_started", "answers", "message", "nbytes")

    def __init__(self, message: Incoming) -> None:
        self.message = message
        self.nbytes = len(message.content) + sum([len(data) for _, data in message.buffers])
        self.answers = [message.msgid]
        self._mutex = threading.Lock()
        self._started = False

    def take(self) -> Incoming:
        """The message to handle. No other can take its place from now on."""
        with self._mutex:
            self._started = True
            return self.message

    def replace(self, message: Incoming) -> bool:
        """Let ``message`` take this one's place, if it sets the same properties and this one is not being handled."""
        changes = plain_changes(message)
        if changes is None or changes != plain_changes(self.message):
            return False
        with self._mutex:
            if self._started or len(self.answers) >= COLLAPSED_MOST:
                return False
            self.message = message
            self.answers.append(message.msgid)
            return True


class Inbox:
    """Counts and collapses the messages of one connection. The lane calls ``note_answer``, the loop the rest."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last: Waiting | None = None
        self._received = 0
        self._received_bytes = 0
        self._answered = 0
        self._answered_bytes = 0
        self._room: asyncio.Event | None = None
        """Set when a message has been handled; there is one only while the inbox is full."""

    def add(self, message: Incoming, *, collapse: bool) -> Waiting | None:
        """The message to queue; ``None`` if it has taken the place of one that waits."""
        if collapse and self._last is not None and self._last.replace(message):
            return None
        self._received += 1
        waiting = Waiting(message)
        # A long message does not collapse, and must not stay in memory after it was handled.
        self._last = waiting if waiting.nbytes <= COLLAPSIBLE_BYTES_MOST else None
        self._received_bytes += waiting.nbytes
        return waiting

    def note_answer(self, waiting: Waiting) -> None:
        """Count a message that has been handled."""
        self._answered += 1
        self._answered_bytes += waiting.nbytes
        if (room := self._room) is not None:
            post(self._loop, room.set)

    async def ready(self) -> None:
        """Wait until there is room for another message."""
        while self._is_full():
            self._room = asyncio.Event()
            if self._is_full():  # an answer may have come before
                await self._room.wait()
        self._room = None

    def _is_full(self) -> bool:
        return (self._received - self._answered >= LIMITS.waiting_messages
                or self._received_bytes - self._answered_bytes >= LIMITS.waiting_bytes)


def plain_changes(message: Incoming) -> tuple[tuple[str, str], ...] | None:
    """The models and properties that a PATCH-DOC sets, if it does nothing else and all values are plain."""
    if message.msgtype != "PATCH-DOC" or message.buffers or len(message.content) > COLLAPSIBLE_BYTES_MOST:
        return None
    try:
        events = wire.decode_content(message)["events"]
        return tuple([_changed(event) for event in events])
    except (ProtocolError, KeyError, TypeError):  # another kind of change, or a malformed one, which the lane refuses
        return None


def _changed(event: Any) -> tuple[str, str]:
    new = event["new"]
    values = new if isinstance(new, list) else [new]
    if event["kind"] != "ModelChanged" or not all(isinstance(value, PLAIN) for value in values):
        raise TypeError("not a plain change")
    return str(event["model"]["id"]), str(event["attr"])
