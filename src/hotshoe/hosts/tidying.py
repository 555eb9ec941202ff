"""Collects garbage while nothing else runs, and returns memory to the system. For processes that only serve.

A small object that survives the end of a session keeps a whole arena of Python's allocator. Such objects are in cycles,
in free lists (uvloop's of handles and asyncio's of awaited futures hold 250 each), and in the cache of attribute
lookups, which keeps names that are made anew each time (numpy's ``dtype.name`` makes one). So after sessions end,
this collects cycles, empties the cache, and fills the free lists with objects that lie together.

Each part is needed. 200 sessions of benchmarks/apps/sliders.py take 61 MB; after their end the process keeps 32 MB of
that. It keeps 40 MB if the free lists of handles are not renewed, 48 MB if none is, 59 MB if the cache stays, too.
(Medians of three to six rounds, Python 3.11, November 2026.)
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Protocol

from ..base.process_threads import in_thread

LOOK_EVERY_S = 1.0

THRESHOLDS = (2000, 10, 20)
"""A full collection with many sessions takes 0.1 s. With these thresholds, Python starts one every 400,000 new objects,
not every 70,000."""

AT_ONCE_MOST = 60
"""With this many sessions, live or ended since the last time, a collection takes about 35 ms."""

FREE_LIST_MOST = 256

_tidies = False


@contextmanager
def tidy_process() -> Generator[None]:
    """Let the hosts of this process manage its memory. Only for a process that does nothing but serve."""
    global _tidies
    before, _tidies = gc.get_threshold(), True
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        _tidies = False
        gc.set_threshold(*before)


class SessionCounts(Protocol):
    """The numbers of a host's sessions."""

    @property
    def ended_count(self) -> int:
        """The number of sessions that have ended so far."""

    @property
    def held_count(self) -> int:
        """The number of sessions that live or are being built."""


class Tidying:
    """Counts sessions every second, and returns memory when many have ended and few users would notice the pause."""

    def __init__(self, sessions: SessionCounts, *, freeze: bool = True) -> None:
        self._sessions = sessions
        self._given_back = 0
        self._last = 0
        self._freezes_left = 2 if freeze else 0  # modules that dev mode loads again must be collected

    def freeze(self) -> None:
        """Exempt all objects that exist before the first session from collection, because they stay."""
        if _tidies:
            self._freeze()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if _tidies and self._is_time():
                self._given_back = self._sessions.ended_count
                await renew_free_lists()
                give_back()
                if not self._sessions.held_count:
                    self._freeze()  # the modules that the first sessions have imported, too
                await in_thread(trim)

    def _is_time(self) -> bool:
        ended = self._sessions.ended_count
        last, self._last = self._last, ended
        waiting = ended - self._given_back
        if not waiting or ended != last:  # more end right now
            return False
        # The more sessions live or have ended, the longer a collection takes: it must be short, or no session alive.
        alive = self._sessions.held_count
        return not alive or (alive < waiting and alive + waiting <= AT_ONCE_MOST)

    def _freeze(self) -> None:
        if self._freezes_left:
            self._freezes_left -= 1
            gc.collect()
            gc.freeze()


async def renew_free_lists() -> None:
    """Fill the free lists, which no collection empties, with objects that lie together in memory."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    handles, futures = [], []
    for _ in range(2 * FREE_LIST_MOST):  # the first come from the lists, the others are new
        handles.append((loop.call_soon(_nothing), loop.call_later(3600, _nothing)))
        futures.append(future.__await__())
    for soon, later in handles:
        soon.cancel()
        later.cancel()
    await asyncio.sleep(0.01)  # the loop releases them
    for kept in (handles, futures):
        del kept[FREE_LIST_MOST:]  # these fill the lists
        kept.clear()


def _nothing() -> None:
    pass


def give_back() -> None:
    """Free unused objects that the interpreter keeps."""
    clear = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()
    gc.collect()


def trim() -> None:
    """Return free memory of the C library's allocator to the system, if possible. Takes a few ms."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
