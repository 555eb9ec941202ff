"""Looks at the running sections every 50 ms: sends the changes of long ones early, and tells pages that they are busy.

The section itself is not interrupted: its changes are encoded already, so the loop can send them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from .audience import Audience
from .lane import Section

log = logging.getLogger("hotshoe.session")

BEAT_S = 0.05

BUSY_S = 0.3
"""How long a section runs before the page says that it is busy."""


class Pulse:
    """Watches running sections. ``watch`` and ``forget`` may be called from any thread."""

    def __init__(self) -> None:
        self._running: dict[Section, Callable[[Section], None]] = {}

    def watch(self, section: Section, beat: Callable[[Section], None]) -> None:
        """Call ``beat(section)`` on the loop every ``BEAT_S``, until ``forget``."""
        self._running[section] = beat

    def forget(self, section: Section) -> None:
        """Do not watch the section any more."""
        self._running.pop(section, None)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            self._beat()

    def _beat(self) -> None:  # a method of its own, so that its variables keep no session alive between two beats
        for section, beat in self._running.copy().items():
            try:
                beat(section)
            except Exception:  # the changes of this section leave at its end; those of the others still leave early
                log.exception("the changes of a running callback can't be sent before it ends")
                self.forget(section)


class BusySign:
    """Tells the pages of a session when it gets busy, and when it is not busy any more."""

    __slots__ = ("_audience", "_is_on")

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._is_on = False

    def beat(self, section: Section) -> None:
        """Look at a running section. On the loop."""
        self._audience.tell_live(section)
        if time.monotonic() - section.started_s <= BUSY_S:
            return
        with section.mutex:  # the section may be about to end, and its end removes the sign
            if section.owner is not None and not self._is_on:
                self._is_on = True
                self._audience.notify({"busy": True})

    def clear(self) -> None:
        """Remove the sign: a section has ended, and no work waits."""
        if self._is_on:
            self._is_on = False
            self._audience.notify({"busy": False})
