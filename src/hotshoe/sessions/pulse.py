"""Looks at the sections that run, every 50 ms: a long one is told as it goes, and the page learns that it is busy.

A section is never interrupted for that. What it has changed is encoded already, so the loop can send it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .section import Section

BEAT_S = 0.05

BUSY_S = 0.3
"""How long a section runs before the page says that it is busy."""


class Pulse:
    """Watches running sections. ``watch`` and ``forget`` may be called from any thread."""

    def __init__(self) -> None:
        self._running: dict[Section, Callable[[Section], None]] = {}

    def watch(self, section: Section, beat: Callable[[Section], None]) -> None:
        """Call ``beat(section)`` on the loop now and then, until it is forgotten."""
        self._running[section] = beat

    def forget(self, section: Section) -> None:
        """The section has ended."""
        self._running.pop(section, None)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            for section, beat in self._running.copy().items():
                beat(section)


def is_long(section: Section) -> bool:
    """Whether the section has run so long that a viewer wonders."""
    return time.monotonic() - section.started_s > BUSY_S
