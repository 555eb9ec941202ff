"""Limits on clients: sizes, times, numbers of connections, and clients that do not read their response.

When the server is full, a new connection replaces the oldest one that waits for a request to begin or to become
complete, so a flood of half-open connections only cuts itself. A connection with a request in progress, or a
websocket, stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Generic, TypeVar

from websockets.extensions import ServerExtensionFactory

from ..base.addresses import network_of
from ..base.backlog import Backlogs
from ..base.counters import Counters, Refusal
from ..base.logs import PacedLog
from ..config.limit_table import Limits
from .libraries import ServerState

try:
    import resource
except ImportError:  # Windows, where sockets are not files
    resource = None  # type: ignore[assignment]

FILES_WANTED = 65536
"""Not more: programs that apps start may close every possible file first, which would then take long."""

_log = PacedLog(logging.getLogger("hotshoe.limits"), most=1)

STALL_TIMEOUT_S = 60.0
"""A slow client reads something in this time; a sleeping laptop or an attacker reads nothing."""


def max_connections() -> int:
    """Three quarters of the open files that the process may have (apps open files too); 0 if there is no limit."""
    if resource is None:
        return 0
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 0 if files == resource.RLIM_INFINITY else max(files * 3 // 4, 1)


def raise_file_limit() -> None:
    """Raise the limit of open files where that is allowed: the usual 1024 would allow no more clients than that."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def backlogs_within(limits: Limits) -> Backlogs:
    """Backlogs with the bounds of the table."""
    return Backlogs(limits.held_bytes, limits.held_bytes_per_address, limits.progress_s, limits.least_bytes_per_s)


_C = TypeVar("_C")


class Verdict(Enum):
    """Whether a new connection is accepted."""

    ADMITTED = "admitted"
    FULL = "full"
    ADDRESS_FULL = "address full"


class Places(Generic[_C]):
    """The places for connections on a server; 0 means no limit. Connections may be any hashable objects."""

    def __init__(self, most: int = 0, most_per_address: int = 0,
                 is_client: Callable[[str], bool] = lambda address: True) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._is_client = is_client
        self._taken: dict[_C, str | None] = {}
        self._waiting: dict[_C, None] = {}
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    def enter(self, connection: _C, address: str | None) -> tuple[Verdict, _C | None]:
        """Add a connection that waits for a request. Returns the verdict, and the connection to cut for it, if any."""
        is_counted = address and self._most_per_address and self._is_client(address)
        known = network_of(address) if address and is_counted else None
        victim: _C | None = None
        if known is not None and self._by_address[known] >= self._most_per_address:
            victim = next((each for each in self._waiting if self._taken[each] == known), None)
            if victim is None:
                return Verdict.ADDRESS_FULL, None
        elif self._most and len(self._taken) >= self._most:
            victim = next(iter(self._waiting), None)
            if victim is None:
                return Verdict.FULL, None
        if victim is not None:
            self.leave(victim)
        self._taken[connection] = known
        self._waiting[connection] = None
        if known is not None:
            self._by_address[known] += 1
        return Verdict.ADMITTED, victim

    def work(self, connection: _C) -> None:
        """Note that the connection has a request in progress, or is a websocket: it is not cut for another."""
        self._waiting.pop(connection, None)

    def wait(self, connection: _C) -> None:
        """Note that the connection waits for a request again; it becomes the last one to be cut."""
        if connection in self._taken:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def leave(self, connection: _C) -> None:
        """Remove a connection that has ended. May be called more than once."""
        self._waiting.pop(connection, None)
        address = self._taken.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


class ServingState(ServerState):
    """uvicorn's state, with what our protocols need in addition."""

    def __init__(self, limits: Limits | None = None, is_client: Callable[[str], bool] = lambda address: True,
                 extension: ServerExtensionFactory | None = None, counters: Counters | None = None) -> None:
        super().__init__()
        self.counters = counters or Counters()
        self.limits = limits or Limits()
        self.extension = extension
        self.places: Places[asyncio.BaseTransport] = Places(
            self.limits.connections, self.limits.connections_per_address, is_client)
        self.backlogs = backlogs_within(self.limits)
        self.lingering = 0

    def refuse(self, kind: Refusal, text: str, *arguments: object) -> None:
        """Count and log a connection or request that was refused."""
        self.counters.refuse(kind)
        _log.warning(text, *arguments)


class Pace:
    """So much at once, then so much a second: says how long to wait after each amount."""

    __slots__ = ("_burst", "_loop", "_per_s", "_since_s", "_spent", "slowed_s")

    def __init__(self, loop: asyncio.AbstractEventLoop, burst: float, per_s: float) -> None:
        self._loop = loop
        self._burst = burst
        self._per_s = per_s
        self._spent = 0.0
        self._since_s = loop.time()
        self.slowed_s = 0.0
        """The sum of the waits since there was none for long enough to forget the burst."""

    def delay(self, amount: float) -> float:
        """The time to wait after this amount, in seconds."""
        self._spent += amount
        if self._spent <= self._burst:
            return 0.0  # without looking at the clock
        now = self._loop.time()
        self._spent -= (now - self._since_s) * self._per_s
        self._since_s = now
        if self._spent <= amount:
            self._spent, self.slowed_s = amount, 0.0
        delay = max(self._spent - self._burst, 0.0) / self._per_s
        self.slowed_s += delay
        return delay


class Stall:
    """Cuts a connection after ``STALL_TIMEOUT_S`` in which nothing was sent although data waits."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop,
                 on_cut: Callable[[], None]) -> None:
        self._transport = transport
        self._loop = loop
        self._on_cut = on_cut
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Start to watch: the write buffer is full, and nothing is added to it until it has drained."""
        self.end()
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(STALL_TIMEOUT_S, self._check)

    def end(self) -> None:
        """Stop watching: the buffer has drained, or the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._transport.get_write_buffer_size() < self._unsent_bytes:
            self.begin()
        else:
            self._on_cut()
            self._transport.abort()
