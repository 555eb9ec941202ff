"""Logs the number of sessions and the memory of the process at intervals, in the same words as ``bokeh serve``."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

from bokeh.document import Document
from bokeh.model import Model

from ..base.extras import need
from ..config import Settings
from ..sessions import Session
from .host import Statistics

log = logging.getLogger("hotshoe.usage")

_MB = 1024**2


class Usage:
    """Logs statistics at debug level, and memory if the settings say so.

    Raises ``ConfigError`` if psutil is needed and not installed.
    """

    def __init__(self, settings: Settings, statistics: Callable[[], Statistics]) -> None:
        self._stats_every_s = settings.stats_log_frequency_milliseconds / 1000
        self._memory_every_s = settings.mem_log_frequency_milliseconds / 1000
        self._statistics = statistics
        if self._memory_every_s:
            need("--mem-log-frequency", "memory", "psutil")

    async def run(self) -> None:
        """Log until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_repeat(self._log_statistics, self._stats_every_s))
            if self._memory_every_s:
                tasks.create_task(_repeat(_memory_logger(), self._memory_every_s))

    def _log_statistics(self) -> None:
        if not log.isEnabledFor(logging.DEBUG):
            return
        statistics, process = self._statistics(), os.getpid()
        log.debug("[pid %d] %d clients connected", process, statistics.connections)
        for url, count in statistics.sessions.items():
            log.debug("[pid %d]   %s has %d sessions with %d unused", process, url, count,
                      statistics.unused.get(url, 0))


async def _repeat(function: Callable[[], None], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            function()
        except Exception:
            log.exception("Could not collect usage statistics")


def _memory_logger() -> Callable[[], None]:
    import psutil

    process = psutil.Process()

    def log_memory() -> None:
        memory = process.memory_info()
        log.info("[pid %d] Memory usage: %0.2f MB (RSS), %0.2f MB (VMS)", process.pid, memory.rss / _MB,
                 memory.vms / _MB)
        if log.isEnabledFor(logging.DEBUG):
            for name, count in _uncollected():
                log.debug("  uncollected %s: %d", name, count)

    return log_memory


def _uncollected() -> Iterator[tuple[str, int]]:
    kinds: dict[str, type[Any]] = {"Documents": Document, "Sessions": Session, "Models": Model}
    everything = gc.get_objects()
    for name, kind in kinds.items():
        # Not isinstance: it reads a proxy object's __class__, which runs the proxy's code.
        yield name, sum(issubclass(type(each), kind) for each in everything)
