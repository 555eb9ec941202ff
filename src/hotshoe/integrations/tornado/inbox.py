"""ASGI events on their way from Tornado to the app."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import MutableMapping
from typing import Any

Event = MutableMapping[str, Any]


class Inbox:
    """A queue with one reader and one writer, who waits while it is full. Its end is read again and again."""

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._events: deque[Event] = deque()
        self._end: Event | None = None
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Add an event once there is room; after the end it is dropped, since nobody reads any more."""
        while len(self._events) >= self._most and self._end is None:
            self._has_room.clear()
            await self._has_room.wait()
        if self._end is None:
            self._events.append(event)
            self._filled.set()

    def end(self, event: Event) -> None:
        """Let ``event`` be the last; only the first end counts."""
        if self._end is None:
            self._end = event
        self._filled.set()
        self._has_room.set()

    async def get(self) -> Event:
        """The next event: ASGI's ``receive``."""
        while not self._events and self._end is None:
            self._filled.clear()
            await self._filled.wait()
        if self._events:
            self._has_room.set()
            return self._events.popleft()
        assert self._end is not None
        return self._end
