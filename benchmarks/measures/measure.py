"""What a measure is: a scenario that runs against one server and gives a number for each of its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ..ratios import Better, times_better
from ..servers import Server, Settings


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    unit: str
    better: Better = "lower"
    target: float | None = None
    """How many times better than ``bokeh serve`` it is meant to be."""

    def times_better(self, value: float, base: float) -> float:
        """How many times better ``value`` is than ``base``; below 1 it is worse."""
        return times_better(value, base, self.better)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: a full run, or a quick one that only shows that all works."""

    share: float = 1.0

    def count(self, full: int, least: int = 5) -> int:
        """So many of ``full``."""
        return max(least, round(full * self.share))

    def seconds(self, full: float) -> float:
        """So long of ``full``."""
        return max(0.5, full * self.share)


class Weight(Enum):
    """How many rounds a scenario gets of those that are asked for."""

    LIGHT = "all"
    HEAVY = "one less of two and more: it takes the better part of a minute"
    EXACT = "one: it counts what does not vary"

    def rounds(self, asked: int) -> int:
        """So many."""
        match self:
            case Weight.LIGHT:
                return asked
            case Weight.HEAVY:
                return asked if asked < 2 else asked - 1
            case Weight.EXACT:
                return 1


class Scenario(Protocol):
    """Something that users of a server do, and what is measured meanwhile. It gets a server of its own."""

    @property
    def name(self) -> str:
        """What ``--only`` takes."""

    @property
    def settings(self) -> Settings:
        """How the server is started."""

    @property
    def rows(self) -> Sequence[Row]:
        """What is measured."""

    @property
    def limit_s(self) -> float:
        """When to give up on a server."""

    @property
    def weight(self) -> Weight:
        """How many rounds it gets."""

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        """Measure; a value for each row's name. Raises ``LoadError``."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def p50_ms(seconds: Sequence[float]) -> float:
    """The median in milliseconds."""
    return percentile(seconds, 50) * 1000


def p99_ms(seconds: Sequence[float]) -> float:
    """The 99th percentile in milliseconds."""
    return percentile(seconds, 99) * 1000
