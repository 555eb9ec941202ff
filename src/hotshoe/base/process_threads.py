"""The threads that a whole process shares: for calls that may wait for a disk, and for calls that only compute."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from .threads import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")

WAITING_MOST = 32
"""The most threads for ``in_thread`` in a process."""

COMPUTING_MOST = 4
"""The most threads for ``compute`` in a process."""


def _make_pools() -> None:
    global _for_waiting, _for_computing
    _for_waiting = ThreadPool(WAITING_MOST, name="hotshoe-shared")
    _for_computing = ThreadPool(COMPUTING_MOST, name="hotshoe-computing")


_for_waiting: ThreadPool
_for_computing: ThreadPool
_make_pools()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_make_pools)  # a forked process does not have the threads of its parent


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` on a thread, where it may wait for a disk: ``asyncio.to_thread`` on our own threads."""
    context = contextvars.copy_context()
    return await asyncio.wrap_future(_for_waiting.submit(partial(context.run, function, *args, **kwargs)))


async def compute(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for functions that only compute: a slow disk, which may block all other threads, does not delay them."""
    return await asyncio.wrap_future(_for_computing.submit(function, *args, **kwargs))
