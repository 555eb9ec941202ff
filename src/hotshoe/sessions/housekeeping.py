"""What is to be done after an app's code has run, on the thread that ran it: giving back a database's connection, say.

Whoever has something to tidy registers; as long as nobody does, it costs one look at an empty tuple.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol

log = logging.getLogger("hotshoe.threads")


class Housekeeper(Protocol):
    """Tidies what app code leaves behind. None of it may block for long; what it raises is logged."""

    def tidy(self) -> float | None:
        """A piece of app code has ended on this thread. For how many seconds may the thread stay idle before it ends?

        ``None`` is as long as any thread.
        """

    def leave(self) -> None:
        """This thread ends."""

    def around(self) -> AbstractAsyncContextManager[Any]:
        """Entered around what app code awaits on the loop."""


_keepers: tuple[Housekeeper, ...] = ()


def register(keeper: Housekeeper) -> None:
    """From now on call ``keeper``, in all servers of this process. Once is enough."""
    global _keepers
    if keeper not in _keepers:
        _keepers = (*_keepers, keeper)


def dismiss(keeper: Housekeeper) -> None:
    """Call it no more."""
    global _keepers
    _keepers = tuple(each for each in _keepers if each is not keeper)


def tidy() -> float | None:
    """Have all tidy up; the shortest time that one of them lets this thread stay idle, in seconds."""
    idle_s: float | None = None
    for keeper in _keepers:
        try:
            found_s = keeper.tidy()
        except Exception:
            log.exception("tidying up after an app's code failed")
            continue
        if found_s is not None:
            idle_s = max(found_s if idle_s is None else min(found_s, idle_s), 0.0)
    return idle_s


def leave() -> None:
    """Tell all that this thread ends."""
    for keeper in _keepers:
        try:
            keeper.leave()
        except Exception:
            log.exception("tidying up at the end of a thread failed")


async def attended(awaitable: Awaitable[Any]) -> Any:
    """What ``awaitable`` gives, with all around it."""
    if not _keepers:
        return await awaitable
    async with AsyncExitStack() as stack:
        for keeper in _keepers:
            try:
                await stack.enter_async_context(keeper.around())
            except Exception:
                log.exception("preparing for an app's code failed")
        return await awaitable
