"""A peer that does not read its answer, and would hold a connection and what waits for it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

STALL_TIMEOUT_S = 60.0
"""A slow line takes something in this time; a laptop that sleeps, or an attacker, nothing."""


class Stall:
    """Cuts a connection once nothing has left it for ``STALL_TIMEOUT_S`` although something waits."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
        self._transport = transport
        self._loop = loop
        self._tell = tell
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """More waits than should; nothing is added until it has drained."""
        self.end()
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(STALL_TIMEOUT_S, self._look)

    def end(self) -> None:
        """It has drained, or the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._transport.get_write_buffer_size() < self._unsent_bytes:
            self.begin()
        else:
            self._tell()
            self._transport.abort()
