"""Calls of code that the operator has named: what is not async runs on a thread, and none may take for ever."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from ..sessions import ThreadPool

LIMIT_S = 30.0
"""How long one call may take."""
THREADS = 16


class Calls:
    """Runs functions for one front, from ``start`` to ``stop``."""

    def __init__(self, *, limit_s: float = LIMIT_S, threads: int = THREADS) -> None:
        self._limit_s = limit_s
        self._threads = threads
        self._pool: ThreadPool | None = None

    def start(self) -> None:
        """Make the threads, for the running loop."""
        if self._pool is None:
            self._pool = ThreadPool(self._threads, asyncio.get_running_loop())

    def stop(self) -> None:
        """End the threads. One that never comes back is left behind."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """What ``function`` gives, awaited if it is awaitable. Raises what it raises, or ``TimeoutError``."""
        try:
            async with asyncio.timeout(self._limit_s):
                return await self.unlimited(function, *args)
        except TimeoutError as error:
            name = getattr(function, "__qualname__", repr(function))
            raise TimeoutError(f"{name} gave no answer within {self._limit_s:g} s") from error

    async def unlimited(self, function: Callable[..., Any], *args: Any) -> Any:
        """``run`` for what is limited as a whole."""
        try:
            result = function(*args) if runs_on_loop(function) else await self._on_thread(function, *args)
            # Not all that returns an awaitable can be seen to be async, and an awaitable is true: it must never
            # pass for a user.
            return await result if inspect.isawaitable(result) else result
        except SystemExit as error:  # it must not end the event loop
            raise RuntimeError(f"the code ended with {error!r}") from error

    async def _on_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        self.start()
        assert self._pool is not None
        return await self._pool.run(partial(contextvars.copy_context().run, function, *args))


def runs_on_loop(function: Callable[..., Any]) -> bool:
    """Whether a function is to be called on the event loop: it is async, or a coroutine in tornado's old style."""
    if getattr(function, "__tornado_coroutine__", False):
        return True
    function = inspect.unwrap(getattr(function, "__func__", function))
    called = function if inspect.isroutine(function) else type(function).__call__
    return inspect.iscoroutinefunction(called)
