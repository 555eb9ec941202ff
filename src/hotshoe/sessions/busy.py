"""What is seen of a section while it runs: its changes, and that the session is busy."""

from __future__ import annotations

from .audience import Audience
from .pulse import is_long
from .section import Section


class BusySign:
    """Tells the pages of a session that it is busy, and no more."""

    __slots__ = ("_audience", "_is_on")

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._is_on = False

    def beat(self, section: Section) -> None:
        """Look at a section that runs. On the loop."""
        self._audience.tell_live(section)
        if not is_long(section):
            return
        with section.mutex:  # it may be about to end, and whoever ends it takes the sign away
            if section.session is not None and not self._is_on:
                self._is_on = True
                self._audience.notify({"busy": True})

    def clear(self) -> None:
        """A section has ended, and no other waits."""
        if self._is_on:
            self._is_on = False
            self._audience.notify({"busy": False})
