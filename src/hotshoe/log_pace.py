"""Lines of the log that anybody could cause at any rate: each kind comes now and then, and says how often it was."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LOG_EVERY_S = 60.0


class Paced:
    """One kind of warning. The last ``%d`` of its text is how many there were since the last line."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._count = 0
        self._logged_s: float | None = None

    def warn(self, text: str, *arguments: object) -> None:
        """Count it; log it unless there was one lately."""
        self._count += 1
        now_s = self._clock()
        if self._logged_s is not None and now_s - self._logged_s < LOG_EVERY_S:
            return
        self._logged_s = now_s
        self._log.warning(text, *arguments, self._count)
        self._count = 0
