"""What waits of one connection's messages: the latest of a row of equal changes, and room for a few more.

A slider that is dragged sends faster than a callback may run. Of two changes that follow each other and set the same
properties to plain values, the first has no effect that the second does not overwrite, so only the second runs; each
gets its answer.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from .. import wire
from ..errors import ProtocolError
from ..wire.messages import Incoming
from .threads import post

WAITING_MOST = 64
"""Messages of one connection that may wait before no more are read from its socket."""

COLLAPSED_MOST = 256
"""Messages that one may stand for: their ids are kept for their answers."""

COLLAPSIBLE_BYTES_MOST = 2048
"""Longer changes are not looked into: what a control sends is short."""

PLAIN = (str, int, float, bool, type(None))


class Waiting:
    """A message on its way to the lane, and the ids of those that it stands for."""

    __slots__ = ("_mutex", "_started", "answers", "message")

    def __init__(self, message: Incoming) -> None:
        self.message = message
        self.answers = [message.msgid]
        self._mutex = threading.Lock()
        self._started = False

    def take(self) -> Incoming:
        """The message to handle; from now on it stands for itself."""
        with self._mutex:
            self._started = True
            return self.message

    def replace(self, message: Incoming) -> bool:
        """Let ``message`` take this one's place, if it has the same effect and this one has not begun."""
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
    """Counts and collapses the messages of one connection. ``answered`` is called by the lane, the rest on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last: Waiting | None = None
        self._received = 0
        self._answered = 0
        self._room: asyncio.Event | None = None  # made when it is full for the first time
        self._is_full = False

    def add(self, message: Incoming, *, collapse: bool) -> Waiting | None:
        """The message as one to queue; ``None`` if it has taken the place of one that waits."""
        if collapse and self._last is not None and self._last.replace(message):
            return None
        self._received += 1
        self._last = Waiting(message)
        return self._last

    def answered(self) -> None:
        """One of those that waited has been handled."""
        self._answered += 1
        if self._is_full and (room := self._room) is not None:
            post(self._loop, room.set)

    async def ready(self) -> None:
        """Wait until there is room for another message."""
        while self._received - self._answered >= WAITING_MOST:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            self._is_full = True
            if self._received - self._answered >= WAITING_MOST:
                await self._room.wait()
        self._is_full = False


def plain_changes(message: Incoming) -> tuple[tuple[str, str], ...] | None:
    """Which properties of which models a PATCH-DOC sets, if that is all it does and all values are plain."""
    if message.msgtype != "PATCH-DOC" or message.buffers or len(message.content) > COLLAPSIBLE_BYTES_MOST:
        return None
    try:
        events = wire.decode_content(message)["events"]
        return tuple([_changed(event) for event in events])
    except (ProtocolError, KeyError, TypeError):  # the lane says what is wrong with it, or what else it is
        return None


def _changed(event: Any) -> tuple[str, str]:
    new = event["new"]
    values = new if isinstance(new, list) else [new]
    if event["kind"] != "ModelChanged" or not all(isinstance(value, PLAIN) for value in values):
        raise TypeError("not a plain change")
    return str(event["model"]["id"]), str(event["attr"])
