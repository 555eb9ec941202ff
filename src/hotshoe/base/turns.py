"""Chooses the job for the next thread: sessions take turns, and gates bound what a user, an address or an app runs at
once.

Jobs of live sessions come before builds of new ones. A visitor who has not logged in is a user of their own in each
session. In addition, all of them at one address share bounds, which are wider, since a whole office may have one
address. Nothing here takes a lock: the pool calls it with its own lock held.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from weakref import WeakValueDictionary

from .addresses import network_of

Job = Callable[[], None]

LIVE_IN_A_ROW = 8
"""After so many jobs of live sessions a waiting build has its turn, so that builds do not starve."""

COMPUTING_OF_ADDRESS = 4
"""An address may compute as much as this many users."""

BUILDS_OF_ALL = 0.75
"""The part of the threads on which builds may compute; the rest is for live sessions."""
BUILDS_OF_APP = BUILDS_OF_ADDRESS = 0.5
BUILDS_OF_USER = 0.125
"""The parts of the number of threads that an app, an address or a user may use for builds, computing or waiting."""

HELD_BY_ADDRESS = 4
"""An address may hold so many times the number of threads, computing or waiting; a user once the number."""


class Gate:
    """At most ``most`` jobs run behind it; lines that would need more wait at it. 0 means no limit."""

    __slots__ = ("__weakref__", "blocked", "most", "passed")

    def __init__(self, most: int) -> None:
        self.most = most or sys.maxsize
        self.passed = 0
        """The jobs that run. It exceeds ``most`` when jobs that seemed to wait go on computing."""
        self.blocked: deque[TurnQueue] = deque()


class Pass:
    """The gates that a job has to pass before it gets a thread.

    It gives those of ``computing`` back when it ends, or as soon as it only waits (for a lock, a database, a pause);
    those of ``kept`` when it ends. If the job of its line before only waited, it passes those of ``computing`` once it
    computes.
    """

    __slots__ = ("_all", "computing", "kept")

    def __init__(self, computing: Iterable[Gate] = (), kept: Iterable[Gate] = ()) -> None:
        self.computing = tuple(computing)
        self.kept = tuple(kept)
        self._all = (*self.computing, *self.kept)

    def gates(self, line: TurnQueue) -> tuple[Gate, ...]:
        """The gates that a job of the line has to pass when it begins."""
        return self.kept if line.only_waits else self._all


FREE = Pass()
"""Without any gate."""


class TurnQueue:
    """The jobs of one session that wait for a thread, in the order of arrival.

    ``needs`` and ``is_build`` may be set on any thread. Both count for jobs that have not begun.
    """

    __slots__ = ("is_build", "is_listed", "jobs", "needs", "only_waits", "owner", "waited_at")

    def __init__(self, owner: Callable[[], object | None] = lambda: None) -> None:
        self.owner = owner
        """Returns the session, as long as it lives."""
        self.needs = FREE
        self.is_build = False
        """Whether the jobs build a new session."""
        self.only_waits = False
        """Whether its last job only waited: the next one is taken to do so, too, until it computes."""
        self.jobs: deque[Job] = deque()
        self.is_listed = False
        """Whether the line has its place among those that take turns, or waits at a gate."""
        self.waited_at: Gate | None = None
        """The gate at which it waits, or which has let it in: its place there is another's if it does not take it."""


class Turns:
    """The lines that have jobs. Each line in turn gives one job, unless it has to wait at a gate."""

    def __init__(self) -> None:
        self._live: deque[TurnQueue] = deque()
        self._builds: deque[TurnQueue] = deque()
        self._live_in_row = 0
        self._count = 0

    def __len__(self) -> int:
        """The number of jobs."""
        return self._count

    @property
    def ready_count(self) -> int:
        """The number of lines that take turns; others wait at gates."""
        return len(self._live) + len(self._builds)

    def jobs(self) -> list[Job]:
        """All jobs of lines that do not wait at a gate."""
        return [job for line in (*self._live, *self._builds) for job in line.jobs]

    def admit(self, line: TurnQueue) -> Pass | None:
        """Let a new job of ``line`` pass at once, if none waits before it and all gates are open."""
        needs = line.needs
        gates = needs.gates(line)
        if line.is_listed or _closed(gates) is not None:
            return None
        enter(gates)
        return needs

    def add(self, line: TurnQueue, job: Job) -> bool:
        """Queue a job. Returns whether all gates are open, so that it waits for nothing but a thread."""
        gate = _closed(line.needs.gates(line))
        line.jobs.append(job)
        self._count += 1
        if not line.is_listed:
            line.is_listed = True
            if gate is None:
                self._list(line)
            else:
                _block(line, gate)
        return gate is None

    def take(self) -> tuple[TurnQueue, Job, Pass] | None:
        """The job whose turn it is; it has passed its gates."""
        rings = self._live, self._builds
        if self._builds and self._live_in_row >= LIVE_IN_A_ROW:
            rings = self._builds, self._live
        found = self._next(rings[0]) or self._next(rings[1])
        if found is None:
            return None
        line = found[0]
        self._live_in_row = 0 if line.is_build or not self._builds else self._live_in_row + 1
        self._count -= 1
        if line.jobs:
            self._list(line)
        else:
            line.is_listed = False
        return found

    def remove(self, line: TurnQueue, job: Job) -> bool:
        """Remove a job that waits. Returns whether it did."""
        try:
            line.jobs.remove(job)
        except ValueError:
            return False
        self._count -= 1
        if not line.jobs and line.waited_at is not None:
            with suppress(ValueError):  # the gate has let it in: it leaves when it has its turn
                line.waited_at.blocked.remove(line)
                line.is_listed, line.waited_at = False, None
        return True

    def leave(self, gates: Iterable[Gate]) -> None:
        """Give gates back; a line that waits at one of them takes turns again."""
        for gate in gates:
            gate.passed -= 1
            self._let_in(gate)

    def _list(self, line: TurnQueue) -> None:
        (self._builds if line.is_build else self._live).append(line)

    def _let_in(self, gate: Gate) -> None:
        if gate.blocked and gate.passed < gate.most:
            self._list(gate.blocked.popleft())

    def _next(self, ring: deque[TurnQueue]) -> tuple[TurnQueue, Job, Pass] | None:
        while ring:
            line = ring.popleft()
            needs, waited_at, line.waited_at = line.needs, line.waited_at, None
            gates = needs.gates(line)
            gate = _closed(gates)
            found: tuple[TurnQueue, Job, Pass] | None = None
            if not line.jobs:  # they were removed
                line.is_listed = False
            elif gate is not None:
                _block(line, gate)
            else:
                enter(gates)
                found = line, line.jobs.popleft(), needs
            if waited_at is not None:  # if it does not need its place there any more, the next one does
                self._let_in(waited_at)
            if found is not None:
                return found
        return None


def _closed(gates: Iterable[Gate]) -> Gate | None:
    """The gate at which a job has to wait."""
    for gate in gates:
        if gate.passed >= gate.most:
            return gate
    return None


def _block(line: TurnQueue, gate: Gate) -> None:
    line.waited_at = gate
    gate.blocked.append(line)


def enter(gates: Iterable[Gate]) -> None:
    """Count a job that passes these gates."""
    for gate in gates:
        gate.passed += 1


class Shares:
    """The gates of one host. ``threads`` is the size of its pool, ``computing`` the number of callbacks that a user may
    compute at once (0: no limit)."""

    def __init__(self, threads: int = 64, computing: int = 2) -> None:
        self._threads = threads
        self._computing = computing
        self._builds = Gate(self._part(BUILDS_OF_ALL))
        self._gates: WeakValueDictionary[tuple[str, str], Gate] = WeakValueDictionary()

    def assign(self, line: TurnQueue, app: str, user: str | None, address: str | None, *, is_build: bool) -> None:
        """Put a session's line behind its gates.

        ``user`` is ``None`` for a visitor who has not logged in. The visitor's own ``address`` is ``None`` if it is
        unknown; it does not count for a user.
        """
        if user is None:
            computing, kept = [Gate(self._computing)], [Gate(self._threads)]
        else:
            computing = [self._gate("computing", user, self._computing)]
            kept = [self._gate("threads", user, self._threads)]
        if user is None and address is not None:
            network = network_of(address)
            most = self._computing and max(self._computing * COMPUTING_OF_ADDRESS, os.cpu_count() or 1)
            computing.append(self._gate("computing at address", network, most))
            kept.append(self._gate("threads of address", network, self._threads * HELD_BY_ADDRESS))
        if is_build:
            computing.append(self._builds)
            kept.append(self._gate("builds of app", app, self._part(BUILDS_OF_APP)))
            if user is not None:
                kept.append(self._gate("builds of user", user, self._part(BUILDS_OF_USER)))
            elif address is not None:
                kept.append(self._gate("builds of address", network_of(address), self._part(BUILDS_OF_ADDRESS)))
        line.needs, line.is_build = Pass(computing, kept), is_build

    def _gate(self, kind: str, name: str, most: int) -> Gate:
        gate = self._gates.get((kind, name))
        if gate is None:
            gate = self._gates[kind, name] = Gate(most)
        return gate

    def _part(self, part: float) -> int:
        return max(1, int(self._threads * part))
