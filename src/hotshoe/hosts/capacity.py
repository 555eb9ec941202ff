"""How many sessions a host takes; those that live are joined whatever the number is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..errors import CapacityError

log = logging.getLogger("hotshoe.host")

LOG_EVERY_S = 60.0


class Capacity:
    """Turns away what would be one session too many; ``most`` 0 turns nobody away."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._turned_away = 0
        self._logged_s: float | None = None

    def admit(self, sessions: int) -> None:
        """Raise ``CapacityError`` if so many sessions, with those being built, leave no room for one more."""
        if self._most and sessions >= self._most:
            self._turned_away += 1
            self._log()
            raise CapacityError("All places are taken. Please try again in a minute.")

    def _log(self) -> None:
        now_s = self._clock()
        if self._logged_s is not None and now_s - self._logged_s < LOG_EVERY_S:
            return
        self._logged_s = now_s
        log.warning(
            "There are %d sessions, as many as --max-sessions allows: turned away %d", self._most, self._turned_away
        )
        self._turned_away = 0
