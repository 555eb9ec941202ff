"""Small values that all processes of a server share. They expire, and stand in spaces of bounded size.

``Shared`` is the interface; each process gets one from its front. ``MemoryShared`` is for a server of one process.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

EVICTED = ""
"""The key of the evicted entry in a space that ``keeps_evicted``."""

DROPPED_AT_ONCE = 100
"""How many expired entries one call drops at most: to drop 100,000 took 0.5 s, and the event loop waits meanwhile."""

CHANGES_KEPT = 1000
"""How many changes of a space are remembered. To a process that has missed more, anything may have changed."""


@dataclass(frozen=True, slots=True)
class Space:
    """A name for entries of one kind, and how many of them are kept."""

    name: str
    most_entries: int
    most_bytes: int
    """The limit for all keys (in characters) and values together."""
    keeps_evicted: bool = False
    """Whether one evicted entry stays, until it expires: of all evicted entries, the one that expires last. Its key is
    ``EVICTED``, and it does not count for the limits."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a space."""

    revision: str
    """The value of ``since`` for the next call. Only the ``Shared`` that returned it understands it."""
    keys: frozenset[str] | None
    """The keys of entries that were written or removed; ``None`` if they are unknown, so that any may have changed."""


class Shared(Protocol):
    """Entries of bytes by space and key. An entry expires ``ttl_s`` seconds after it was written, with
    ``None`` never.

    - Each call is atomic: concurrent calls act as if one came after the other. A call that was cancelled or has raised
      an error may have had its effect.
    - Plain data goes in and out, so that the calls can go to another process or to a database. Keys are text that
      UTF-8 can encode, and are not empty.
    - A full space evicts the entries that would expire soonest, even the new one. An entry that is larger than its
      space is evicted at once, and no other entry.
    - If the store can't be reached, each method raises ``CapacityError``, so that a request gets status 503.
    """

    async def get(self, space: Space, *keys: str) -> tuple[bytes | None, ...]:
        """The value of each key; ``None`` for a key without an entry. All values are of the same moment."""

    async def put(self, space: Space, key: str, value: bytes, ttl_s: float | None) -> None:
        """Write an entry; it replaces the entry of the same key."""

    async def swap(self, space: Space, key: str, old: bytes | None, new: bytes | None, ttl_s: float | None
                   ) -> bytes | None:
        """Write ``new`` if the key's value is ``old``; return the value before.

        It was written if the returned value equals ``old``. ``None`` means no entry: ``old=None`` claims a free key,
        ``new=None`` removes an entry. If ``old`` and ``new`` are equal, the entry's time starts again.
        """

    async def take(self, space: Space, key: str) -> bytes | None:
        """Remove an entry and return its value, or ``None``; only one of several concurrent calls gets it."""

    async def changes(self, space: Space, since: str | None = None) -> Changes:
        """Wait until entries were written or removed after the revision ``since``, and return their keys.

        Without ``since`` it returns at once, without keys, and with the revision to begin with. Writing an equal value
        is a change too. The next call returns the changes that were made while no call waited. Several changes of a
        key may be returned as one. Expired and evicted entries do not count as changes.
        """


class MemoryShared:
    """A ``Shared`` for one process, on its event loop. Only ``changes`` waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._contents: dict[str, _Contents] = {}

    async def get(self, space: Space, *keys: str) -> tuple[bytes | None, ...]:
        """See ``Shared``."""
        contents, now = self._of(space), self._clock()
        return tuple(contents.find(key, now) for key in keys)

    async def put(self, space: Space, key: str, value: bytes, ttl_s: float | None) -> None:
        """See ``Shared``."""
        self._of(space).write(key, value, ttl_s, self._clock())

    async def swap(self, space: Space, key: str, old: bytes | None, new: bytes | None, ttl_s: float | None
                   ) -> bytes | None:
        """See ``Shared``."""
        contents, now = self._of(space), self._clock()
        found = contents.find(key, now)
        if found == old:
            contents.write(key, new, ttl_s, now)
        return found

    async def take(self, space: Space, key: str) -> bytes | None:
        """See ``Shared``."""
        contents, now = self._of(space), self._clock()
        found = contents.find(key, now)
        contents.write(key, None, None, now)
        return found

    async def changes(self, space: Space, since: str | None = None) -> Changes:
        """See ``Shared``."""
        log = self._of(space).log
        while since == log.revision:
            await log.wait()
        return log.changes(since)

    def _of(self, space: Space) -> _Contents:
        contents = self._contents.get(space.name)
        if contents is None:
            contents = self._contents[space.name] = _Contents(space)
        return contents


class _Entry(NamedTuple):
    value: bytes
    expires_s: float
    number: int
    """A new number for each write."""


class _Contents:
    """The entries of one space."""

    def __init__(self, space: Space) -> None:
        self.log = _ChangeLog()
        self._space = space
        self._entries: dict[str, _Entry] = {}
        self._size = 0
        self._written = 0
        self._queue: list[tuple[float, int, str]] = []
        """A heap of (expiry, number, key). If the number is not that of the key's entry, the item is out of date."""
        self._evicted: _Entry | None = None

    def find(self, key: str, now: float) -> bytes | None:
        entry = self._entries.get(key) if key else self._evicted
        return entry.value if entry is not None and now < entry.expires_s else None

    def write(self, key: str, value: bytes | None, ttl_s: float | None, now: float) -> None:
        """Write an entry, or remove it if ``value`` is ``None``."""
        if not key:
            raise ValueError("an entry needs a key")
        if value is None and key not in self._entries:
            return
        self._drop(key)
        if value is not None:
            self._add(key, value, math.inf if ttl_s is None else now + ttl_s)
        self._trim(now)
        self.log.add(key)

    def _add(self, key: str, value: bytes, expires_s: float) -> None:
        self._written += 1
        entry = _Entry(value, expires_s, self._written)
        if len(key) + len(value) > self._space.most_bytes:
            self._keep_evicted(entry)
            return
        self._entries[key] = entry
        self._size += len(key) + len(value)
        if len(self._queue) > 2 * len(self._entries) + 100:
            self._queue = [(each.expires_s, each.number, name) for name, each in self._entries.items()]
            heapq.heapify(self._queue)
        else:
            heapq.heappush(self._queue, (expires_s, entry.number, key))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(key) + len(entry.value)

    def _trim(self, now: float) -> None:
        """Drop some of the entries that have expired, and evict until the rest is within the bounds."""
        begun = len(self._queue)
        while self._queue and (begun - len(self._queue) < DROPPED_AT_ONCE or self._is_too_full()):
            expires_s, number, key = self._queue[0]
            entry = self._entries.get(key)
            if entry is not None and entry.number == number:
                if now < expires_s and not self._is_too_full():
                    return
                self._drop(key)
                if now < expires_s:
                    self._keep_evicted(entry)
            heapq.heappop(self._queue)

    def _keep_evicted(self, entry: _Entry) -> None:
        if self._space.keeps_evicted and (self._evicted is None or self._evicted.expires_s < entry.expires_s):
            self._evicted = entry

    def _is_too_full(self) -> bool:
        return len(self._entries) > self._space.most_entries or self._size > self._space.most_bytes


class _ChangeLog:
    """The last changes of a space. A revision contains the log's id, since each process counts from 0."""

    def __init__(self) -> None:
        self._id = secrets.token_hex(4)
        self._count = 0
        self._keys: deque[str] = deque(maxlen=CHANGES_KEPT)
        self._changed: asyncio.Event | None = None

    @property
    def revision(self) -> str:
        return f"{self._id}-{self._count}"

    def add(self, key: str) -> None:
        self._keys.append(key)
        self._count += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def wait(self) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        await self._changed.wait()

    def changes(self, since: str | None) -> Changes:
        if since is None:
            return Changes(self.revision, frozenset())
        log_id, _, count = since.partition("-")
        missed = self._count - int(count) if log_id == self._id else math.inf
        if missed > len(self._keys):
            return Changes(self.revision, None)
        return Changes(self.revision, frozenset(self._keys[index] for index in range(-int(missed), 0)))
