"""Runs functions that wait for disks, on threads apart for each folder: a disk that hangs delays only its own files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import TypeVar

from .files import refusal
from .logs import PacedLog
from .threads import ThreadPool

THREADS = 4
"""The threads of one folder."""
WAITING_MOST = 500
"""How many calls may wait for the threads of one folder; further ones are refused."""
LIMIT_S = 30.0
"""How long one call may take, its wait for a thread included."""

_log = PacedLog(logging.getLogger("hotshoe.disks"), most=1)

T = TypeVar("T")


class Disks:
    """Threads of one kind of work, by folder. Threads that are idle end, and one that hangs stays with its folder."""

    def __init__(self, name: str, *, threads: int = THREADS, waiting_most: int = WAITING_MOST,
                 limit_s: float = LIMIT_S) -> None:
        self._name = name
        self._threads = threads
        self._waiting_most = waiting_most
        self._limit_s = limit_s
        self._pools: dict[Hashable, ThreadPool] = {}
        self._closed = False

    async def run(self, folder: Hashable, function: Callable[[], T]) -> T:
        """Call ``function`` on a thread of the folder, and return its result.

        Raises ``RequestError`` (503) if too many calls wait for this folder, if the call takes longer than ``limit_s``,
        and after ``close``.
        """
        pool = self._pool(folder)
        if pool.waiting_count >= self._waiting_most:
            _log.warning("%s: %d calls wait for the disk already: refused a request with status 503", folder,
                         pool.waiting_count, kind=folder)
            raise refusal(503)
        try:
            call = pool.submit(function)
        except RuntimeError:
            raise refusal(503) from None
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                return await asyncio.wrap_future(call)
        except TimeoutError:
            if not limit.expired():
                raise
            _log.warning("%s: the disk did not respond within %g s: refused a request with status 503", folder,
                         self._limit_s, kind=folder)
            raise refusal(503) from None

    def start(self, folder: Hashable, job: Callable[[], None]) -> None:
        """Run ``job`` on a thread of the folder, at some time. After ``close``, it runs here and now."""
        try:
            self._pool(folder).start(job)
        except RuntimeError:
            job()

    def close(self) -> None:
        """End the threads, and cancel the calls that have not begun. Does not wait."""
        self._closed = True
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def _pool(self, folder: Hashable) -> ThreadPool:
        pool = self._pools.get(folder)
        if pool is None:
            # Folders come and go with their apps.
            self._pools = {key: pool for key, pool in self._pools.items() if pool.count}
            pool = self._pools[folder] = ThreadPool(self._threads, name=self._name)
            if self._closed:
                pool.close()
        return pool
