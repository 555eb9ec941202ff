"""Counts of what happens in a server: connections, sessions, messages, bytes, refusals, and how long work waits.

Each part that can live in a process of its own has its own ``Counters``: one for a front with its sockets, one for a
host with its sessions. That part passes them on as arguments. They are not global, since two servers in one process
(tests, a notebook, two mounts) must not count for each other, and since a worker process has to send its counts to the
front as data anyway. The counts of a server are the sum of its parts' counts.

A count takes a lock, since ``+=`` is not atomic: lanes count on their threads, the front on the loop. That costs some
0.2 µs (``scripts/bench --counters``), also when four threads count at once.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import StrEnum

from .errors import AccessError, CapacityError, LoginError, ProtocolError, RemoteError, TokenError

BOUNDS_S = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the classes in which waits are counted; one more class has the longer waits.

They are the same in every process, so that histograms can be added.
"""


class Refusal(StrEnum):
    """Why a request, a connection or a message was refused."""

    CONNECTIONS = "connections"
    """The limit of connections was reached, in all or for one address."""
    EVICTED = "evicted"
    """A connection that waited for a request was cut, to make room for a new one."""
    HEAD = "head"
    """The head of a request was too large."""
    BODY = "body"
    """The body of a request was too large."""
    MALFORMED = "malformed"
    """A request could not be parsed, or a proxy could have read it differently: a trailer, several Host headers."""
    LATE = "late"
    """A request took too long to arrive."""
    STALLED = "stalled"
    """A client did not read its response or its websocket."""
    HOST_NAME = "host_name"
    """A request had the name of another host, at a server that answers to its own names only."""
    ORIGIN = "origin"
    """A websocket came from a page of another site."""
    LOGIN = "login"
    """The request needs a login."""
    ACCESS = "access"
    """The request is not allowed for this user."""
    TOKEN = "token"  # noqa: S105 - it is not a password
    """A session token was malformed, forged or expired."""
    CAPACITY = "capacity"
    """The limit of sessions or logins was reached, in all or for one client."""
    MESSAGE = "message"
    """A websocket message was malformed, too large or unexpected."""


_KINDS = {LoginError: Refusal.LOGIN, AccessError: Refusal.ACCESS, TokenError: Refusal.TOKEN,
          CapacityError: Refusal.CAPACITY, ProtocolError: Refusal.MESSAGE}


@dataclass(frozen=True, slots=True)
class Waits:
    """A histogram of waits, as plain data."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    """The number of waits in each class: one for each of ``BOUNDS_S``, and one for longer waits."""
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """The number of waits."""
        return sum(self.counts)

    def __add__(self, other: Waits) -> Waits:
        return Waits(tuple(map(sum, zip(self.counts, other.counts, strict=True))), self.sum_s + other.sum_s)


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts at one moment, as plain data. ``+`` adds the counts of several parts or processes."""

    connections_opened: int = 0
    """Websockets that were subscribed to a session."""
    connections_closed: int = 0
    sessions_made: int = 0
    sessions_ended: int = 0
    sessions_failed: int = 0
    """Sessions whose app raised while it built their document. They are neither made nor ended."""
    messages_in: int = 0
    """Whole messages of Bokeh's protocol, from clients."""
    messages_out: int = 0
    bytes_in: int = 0
    """Bodies of requests and messages of websockets. Heads, frames and TLS are known to the ASGI server only."""
    bytes_out: int = 0
    """Bodies of responses and messages of websockets, without files that an ASGI server sends itself
    (``http.response.pathsend``)."""
    refusals: tuple[tuple[str, int], ...] = ()
    """Sorted pairs of a kind (a value of ``Refusal``) and its number, for all kinds that have happened."""
    lane_waits: Waits = Waits()
    """How long locked work waited, from its submission until it began."""
    thread_waits: Waits = Waits()
    """How long a lane with work waited for a thread; without threads, for the loop."""

    @property
    def connections_open(self) -> int:
        """Websockets that are subscribed now."""
        return self.connections_opened - self.connections_closed

    @property
    def sessions_alive(self) -> int:
        """Sessions that were made and have not ended."""
        return self.sessions_made - self.sessions_ended

    def __add__(self, other: Counts) -> Counts:
        refusals = Counter(dict(self.refusals)) + Counter(dict(other.refusals))
        sums = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(Counts)}
        return Counts(**{**sums, "refusals": tuple(sorted(refusals.items()))})


class Count:
    """A number that only grows. May be used from any thread."""

    __slots__ = ("_mutex", "total")

    def __init__(self, mutex: threading.Lock) -> None:
        self._mutex = mutex
        self.total = 0

    def add(self, amount: int = 1) -> None:
        """Count ``amount`` more."""
        with self._mutex:
            self.total += amount


class Histogram:
    """Counts waits by their length. May be used from any thread."""

    __slots__ = ("_mutex", "counts", "sum_s")

    def __init__(self, mutex: threading.Lock) -> None:
        self._mutex = mutex
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, wait_s: float) -> None:
        """Count a wait of ``wait_s``."""
        index = bisect_left(BOUNDS_S, wait_s)
        with self._mutex:
            self.counts[index] += 1
            self.sum_s += wait_s


class Counters:
    """The counters of one part of a server. One lock for all of them makes ``snapshot`` consistent."""

    def __init__(self) -> None:
        self._mutex = mutex = threading.Lock()
        self.connections_opened, self.connections_closed = Count(mutex), Count(mutex)
        self.sessions_made, self.sessions_ended, self.sessions_failed = Count(mutex), Count(mutex), Count(mutex)
        self.messages_in, self.messages_out = Count(mutex), Count(mutex)
        self.bytes_in, self.bytes_out = Count(mutex), Count(mutex)
        self.lane_waits, self.thread_waits = Histogram(mutex), Histogram(mutex)
        self._refusals = {kind: Count(mutex) for kind in Refusal}

    def refuse(self, kind: Refusal) -> None:
        """Count a refusal."""
        self._refusals[kind].add()

    @contextmanager
    def count_refusals(self) -> Iterator[None]:
        """Count a refusal if the code inside raises an error that refuses something to a client."""
        try:
            yield
        except RemoteError as error:
            if (kind := _KINDS.get(type(error))) is not None:
                self.refuse(kind)
            raise

    def snapshot(self) -> Counts:
        """All counts at this moment."""
        with self._mutex:
            return Counts(
                **{name: count.total for name, count in vars(self).items() if isinstance(count, Count)},
                refusals=tuple(sorted((kind.value, count.total) for kind, count in self._refusals.items()
                                      if count.total)),
                lane_waits=_waits(self.lane_waits),
                thread_waits=_waits(self.thread_waits),
            )


def _waits(histogram: Histogram) -> Waits:
    return Waits(tuple(histogram.counts), histogram.sum_s)
