"""Memory, in a process that does nothing but serve: the collector works between the work, and what ended is given back.

What survives a session's end keeps a whole arena of Python's allocator from the system, however small it is: garbage
in cycles, free lists (uvloop's of handles and asyncio's of awaited futures hold 250 each), and the cache of attribute
lookups, which holds on to names that are made anew each time (numpy's ``dtype.name`` makes one). So after sessions have
ended, the cycles are collected, the cache is emptied, and the free lists get objects that lie together.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress

from ..sessions import Registry

LOOK_EVERY_S = 1.0

THRESHOLDS = (2000, 10, 20)
"""A full collection of many sessions takes 0.1 s; by itself it comes every 400,000 new objects, not 70,000."""

AT_ONCE_MOST = 60
"""With so many sessions, alive or ended since the last time, a collection takes some 35 ms."""

FREE_LIST_MOST = 256

_tidies = False


@contextmanager
def tidy_process() -> Generator[None]:
    """This process is ours: until the end of this, hosts that run in it look after its memory."""
    global _tidies
    before, _tidies = gc.get_threshold(), True
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        _tidies = False
        gc.set_threshold(*before)


class Tidying:
    """Looks now and then how many sessions have ended, are alive, and are busy; gives back when the time is right."""

    def __init__(self, registries: Collection[Registry], *, freeze: bool = True) -> None:
        self._registries = registries
        self._given_back = 0
        self._last = 0
        self._freezes_left = 2 if freeze else 0  # what dev mode loads anew must be able to go

    def settle(self) -> None:
        """What is there before the first session stays: no collection need look at it any more."""
        if _tidies:
            self._freeze()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if _tidies and self._is_time():
                self._given_back = self._ended()
                await renew_free_lists()
                give_back()
                if not self._alive():
                    self._freeze()  # with what the first sessions have imported
                await asyncio.to_thread(trim)

    def _is_time(self) -> bool:
        ended = self._ended()
        last, self._last = self._last, ended
        waiting = ended - self._given_back
        if not waiting or ended != last:  # more end right now
            return False
        # A collection takes longer the more sessions are alive or have ended: it has to be short, or to disturb nobody.
        alive = self._alive()
        return not alive or (alive < waiting and alive + waiting <= AT_ONCE_MOST)

    def _ended(self) -> int:
        return sum(registry.ended_count for registry in self._registries)

    def _alive(self) -> int:
        return sum(len(registry.requests) for registry in self._registries)

    def _freeze(self) -> None:
        if self._freezes_left:
            self._freezes_left -= 1
            gc.collect()
            gc.freeze()


async def renew_free_lists() -> None:
    """Put objects that lie together into the free lists that no collection empties."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    handles, futures = [], []
    for _ in range(2 * FREE_LIST_MOST):  # the first come from the lists, the others are new
        handles.append((loop.call_soon(_nothing), loop.call_later(3600, _nothing)))
        futures.append(future.__await__())
    for soon, later in handles:
        soon.cancel()
        later.cancel()
    await asyncio.sleep(0.01)  # the loop lets go of them
    for kept in (handles, futures):
        del kept[FREE_LIST_MOST:]  # these go into the lists, and fill them
        kept.clear()


def _nothing() -> None:
    pass


def give_back() -> None:
    """Free what nobody uses but the interpreter has not freed."""
    clear = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()
    gc.collect()


def trim() -> None:
    """Give free memory of the C library's allocator back to the system, where there is a way to. Takes some ms."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
