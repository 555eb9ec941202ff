"""Cleaning up after an app's code, on the thread that ran it: for instance returning a database connection.

Integrations register housekeepers for it. Without any, the cost is one test of an empty tuple.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol

log = logging.getLogger("hotshoe.threads")


class Housekeeper(Protocol):
    """Cleans up after app code. Its methods must not block for long; their exceptions are logged."""

    def tidy(self) -> float | None:
        """Clean up after app code on this thread. Returns how many seconds the thread may stay idle before it ends.

        ``None`` means as long as any thread.
        """

    def leave(self) -> None:
        """Clean up because this thread ends."""

    def around(self) -> AbstractAsyncContextManager[Any]:
        """A context in which app code is awaited on the loop."""


_keepers: tuple[Housekeeper, ...] = ()


def register(keeper: Housekeeper) -> None:
    """Call ``keeper`` from now on, in all servers of this process. Registering it again changes nothing."""
    global _keepers
    if keeper not in _keepers:
        _keepers = (*_keepers, keeper)


def tidy() -> float | None:
    """Let all housekeepers clean up. Returns the shortest idle time, in seconds, that one of them allows."""
    idle_s: float | None = None
    for keeper in _keepers:
        try:
            found_s = keeper.tidy()
        except Exception:
            log.exception("Cleaning up after an app's code failed")
            continue
        if found_s is not None:
            idle_s = max(found_s if idle_s is None else min(found_s, idle_s), 0.0)
    return idle_s


def leave() -> None:
    """Tell all housekeepers that this thread ends."""
    for keeper in _keepers:
        try:
            keeper.leave()
        except Exception:
            log.exception("Cleaning up at the end of a thread failed")


async def await_with_keepers(awaitable: Awaitable[Any]) -> Any:
    """Await app code inside the contexts of all housekeepers. Returns its result."""
    if not _keepers:
        return await awaitable
    async with AsyncExitStack() as stack:
        for keeper in _keepers:
            try:
                await stack.enter_async_context(keeper.around())
            except Exception:
                log.exception("Preparing for an app's code failed")
        return await awaitable
