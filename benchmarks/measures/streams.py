"""How far one stream reaches: ten points at 20 Hz, to sessions of their own or to the viewers of one session.

A server lags when it delivers less than nine tenths of what is due, or when a message is older than a quarter of a
second when it arrives (95th percentile).
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..load import Connection, LoadError, connect, new_session_id
from ..servers import Server, Settings
from .measure import Row, Scale, Weight, p50_ms, percentile

PERIOD_S = 0.05
LAG_S = 0.25
DELIVERED = 0.9
STEP = 1.12
"""The finest step, and so the precision of the result."""
CAREFUL_FROM = 0.6
"""The share of a core up to which steps are as wide as the CPU still free allows."""
FEWEST, MOST = 20, 4000
JOINING = 8
"""Connections opened at the same time."""
JOIN_TIMEOUT_S = 10.0
"""A server that takes longer to let one more in lags."""
SEARCH_S = 25.0

_stamp = re.compile(rb'"stamp",\s*\[\s*([0-9.]+)')


class Streams:
    """Connections are added, by steps that follow the CPU still free, until the server lags; then the gap is halved."""

    settings = Settings(apps=("stream",))
    limit_s = 120.0
    weight = Weight.HEAVY

    def __init__(self, name: str, label: str, *, shared: bool, target: float) -> None:
        self.name = name
        self._label = label
        self._shared = shared
        self.rows = (
            Row(f"{label} until it lags", "N", "higher", target),
            Row(f"{label}: CPU of a message", "µs CPU"),
        )

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        session_id = new_session_id() if self._shared else None
        crowd: list[Connection] = []
        reached, too_many, cost_us = 0, MOST, 0.0
        wanted, deadline = FEWEST, time.perf_counter() + scale.seconds(SEARCH_S)
        try:
            while reached < wanted < too_many:
                try:
                    await _gather_crowd(server, crowd, wanted, session_id)
                    window = await _watch(server, crowd, scale.seconds(2.0))
                    if not window.keeps_up:  # once more: something else on the machine may have been in the way
                        window = await _watch(server, crowd, scale.seconds(2.0))
                    keeps_up = window.keeps_up
                except (TimeoutError, LoadError):
                    if not reached:
                        raise
                    keeps_up = False
                if not keeps_up:
                    too_many = wanted
                else:
                    if not reached or window.busy < 0.5:
                        cost_us = window.cpu_us
                    reached = wanted
                    wanted = int(wanted * max(STEP, min(4.0, CAREFUL_FROM / max(window.busy, 0.01)))) + 1
                if not reached or too_many < reached * STEP or time.perf_counter() > deadline:
                    break
                if wanted >= too_many:
                    wanted = int(math.sqrt(reached * too_many))
        finally:
            for connection in crowd:
                connection.close()
        if not reached:
            raise LoadError(f"lags with {FEWEST} already")
        return {self.rows[0].name: reached, self.rows[1].name: cost_us}


class Crowd:
    """A fixed number of connections: what a message costs, and how old it is when it arrives.

    For comparisons of versions: how many it takes until a server lags is known to 12 % only, and follows from the CPU.
    """

    settings = Settings(apps=("stream",))
    limit_s = 60.0
    weight = Weight.LIGHT

    def __init__(self, name: str, label: str, size: int, *, shared: bool) -> None:
        self.name = name
        self._size = size
        self._shared = shared
        self.rows = (
            Row(f"{label}: CPU of a message", "µs CPU"),
            Row(f"{label}: age of a message p50", "ms"),
        )

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        crowd: list[Connection] = []
        try:
            await _gather_crowd(server, crowd, self._size, new_session_id() if self._shared else None)
            window = await _watch(server, crowd, scale.seconds(4.0))
        finally:
            for connection in crowd:
                connection.close()
        if not window.ages_s:
            raise LoadError("nothing arrived")
        return {self.rows[0].name: window.cpu_us, self.rows[1].name: p50_ms(window.ages_s)}


async def _gather_crowd(server: Server, crowd: list[Connection], wanted: int, session_id: str | None) -> None:
    """Let so many join, or leave, that ``wanted`` are there."""
    while len(crowd) > wanted:
        crowd.pop().close()
    while len(crowd) < wanted:
        several = min(JOINING, wanted - len(crowd))
        crowd += await asyncio.gather(*(_join(server, session_id) for _ in range(several)))


async def _join(server: Server, session_id: str | None) -> Connection:
    async with asyncio.timeout(JOIN_TIMEOUT_S):
        connection = await connect(server.port, "stream", session_id)
        await connection.request("PULL-DOC-REQ")
        return connection


@dataclass(frozen=True, slots=True)
class _Window:
    """What arrived in some seconds, and what it cost."""

    ages_s: list[float]
    delivered: int
    due: float
    used_s: float
    elapsed_s: float

    @property
    def keeps_up(self) -> bool:
        """Whether all get what is due in time."""
        return self.delivered >= DELIVERED * self.due and bool(self.ages_s) and percentile(self.ages_s, 95) < LAG_S

    @property
    def cpu_us(self) -> float:
        """CPU of one message."""
        return self.used_s / max(self.delivered, 1) * 1e6

    @property
    def busy(self) -> float:
        """The share of a core that was used."""
        return self.used_s / self.elapsed_s


async def _watch(server: Server, crowd: list[Connection], seconds: float) -> _Window:
    ages: list[float] = []
    for connection in crowd:
        connection.on_patch = _ages_into(ages)
    await asyncio.sleep(0.7)
    ages.clear()
    counts = [connection.patches for connection in crowd]
    before, started = server.cpu_s(), time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    used = server.cpu_s() - before
    delivered = sum(connection.patches - count for connection, count in zip(crowd, counts, strict=True))
    return _Window(ages, delivered, len(crowd) * elapsed / PERIOD_S, used, elapsed)


def _ages_into(ages: list[float]) -> Callable[[bytes], None]:
    def note(content: bytes) -> None:
        stamp = _stamp.search(content)
        if stamp is not None:
            ages.append(time.monotonic() - float(stamp[1]))

    return note
