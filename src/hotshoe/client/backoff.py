"""How long to wait before the next attempt to connect again, and when to give up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

FIRST_S = 0.2
LONGEST_S = 10.0
STABLE_S = 5.0
"""A connection that has lasted so long was a good one."""


class Backoff:
    """Delays that double up to a bound, each shortened at random, so that many clients don't come back at once."""

    def __init__(self, give_up_after_s: float, *, clock: Callable[[], float] = time.monotonic,
                 chance: Callable[[], float] = random.random) -> None:
        self._limit_s = give_up_after_s
        self._clock = clock
        self._chance = chance
        self._attempts = 0
        self._since_s: float | None = None
        self._connected_s = clock()

    def connected(self) -> None:
        """There is a connection; it still has to prove that it lasts."""
        self._connected_s = self._clock()

    def cut(self) -> None:
        """The connection has ended. If it was a good one, what failed before it counts no more."""
        if self._since_s is None or self._clock() - self._connected_s >= STABLE_S:
            self._attempts = 0
            self._since_s = self._clock()

    def delay_s(self) -> float | None:
        """How long to wait before the next attempt; ``None`` if it is time to give up."""
        started_s = self._clock() if self._since_s is None else self._since_s
        left_s = started_s + self._limit_s - self._clock()
        if left_s <= 0:
            return None
        bound_s = min(FIRST_S * 2.0**min(self._attempts, 20), LONGEST_S)
        self._attempts += 1
        return min(bound_s * (0.5 + self._chance() / 2), left_s)
