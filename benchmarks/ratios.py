"""The arithmetic of comparisons: how many times better one value is, and what the ratios of several rounds say.

It imports nothing of the benchmarks, so that it can be tested without what they need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median, quantiles
from typing import Literal

TOLERANCE = 0.03
"""How much worse a version may be: 3 %."""

FEWEST_ROUNDS = 5
"""Fewer rounds say nothing about 3 %."""

Better = Literal["lower", "higher"]
"""Which way a figure points."""


def times_better(value: float, base: float, better: Better = "lower") -> float:
    """How many times better ``value`` is than ``base``; below 1 it is worse."""
    over, under = (base, value) if better == "lower" else (value, base)
    return over / under if under else math.inf if over else 1.0


class Verdict(Enum):
    """What the ratios of the rounds say; the value is the mark in the table."""

    FINE = ""
    WORSE = "**worse**"
    """The median is more than 3 % worse, and at least three of four rounds are worse; of five rounds or more."""
    UNCLEAR = "worse? more rounds"
    """The median is more than 3 % worse, but the rounds are few, or more than one in four is not worse at all."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The ratios of all rounds of one figure, each how many times better the new version is than the old one."""

    median: float
    lower_quartile: float
    upper_quartile: float
    rounds: int

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Comparison:
        """Of at least one ratio."""
        if len(ratios) == 1:
            return cls(ratios[0], ratios[0], ratios[0], 1)
        lower, _, upper = quantiles(ratios, n=4, method="inclusive")
        return cls(median(ratios), lower, upper, len(ratios))

    @property
    def verdict(self) -> Verdict:
        """Whether the new version is more than 3 % worse."""
        if self.median >= 1 / (1 + TOLERANCE):
            return Verdict.FINE
        sure = self.rounds >= FEWEST_ROUNDS and self.upper_quartile < 1
        return Verdict.WORSE if sure else Verdict.UNCLEAR
