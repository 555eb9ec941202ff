"""Calls functions of the operator: async ones on the loop, others on threads, each within a time limit.

If such a function hangs (its database does not answer, say), a request waits at most ``LIMIT_S``, at most
``WAITING_MOST`` requests wait, and none waits once all threads are stuck. A call whose request has given up is dropped,
so that the threads serve new requests when the function answers again.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ..base.errors import CapacityError
from ..base.logs import PacedLog
from ..base.threads import ThreadPool

LIMIT_S = 30.0
"""How long one call may take."""
THREADS = 16
WAITING_MOST = 500
"""How many calls may wait for a thread. If a call takes a second, more could not be served within ``LIMIT_S``."""

_BUSY = "Logins take too long at this moment. Please try again in a minute."

_log = PacedLog(logging.getLogger(__name__), most=1)


class _Call:
    """A function that runs on a thread, and the time when it began."""

    __slots__ = ("_function", "begun_s", "has_ended")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.begun_s: float | None = None
        self.has_ended = False

    def __call__(self) -> Any:
        self.begun_s = time.monotonic()
        try:
            return self._function()
        finally:
            self.has_ended = True

    def is_stuck(self, limit_s: float) -> bool:
        """Whether it has run for longer than ``limit_s`` and still runs."""
        return not self.has_ended and self.begun_s is not None and time.monotonic() - self.begun_s >= limit_s


class Calls:
    """Runs functions for one front, from ``start`` to ``stop``."""

    def __init__(self, *, limit_s: float = LIMIT_S, threads: int = THREADS, waiting_most: int = WAITING_MOST) -> None:
        self._limit_s = limit_s
        self._threads = threads
        self._waiting_most = waiting_most
        self._pool: ThreadPool | None = None
        self._left: list[_Call] = []
        """Calls that still run though their requests have given up."""

    def start(self) -> None:
        """Make the threads, for the running loop."""
        if self._pool is None:
            self._pool = ThreadPool(self._threads, asyncio.get_running_loop(), name="hotshoe-auth")

    def stop(self) -> None:
        """End the threads. A thread that hangs is left behind."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call ``function`` and return its result, awaited if it is awaitable.

        Raises what it raises, and ``CapacityError`` if it takes too long or too many calls wait already.
        """
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                return await self.unlimited(function, *args)
        except TimeoutError as error:
            if not limit.expired():
                raise
            name = getattr(function, "__qualname__", repr(function))
            _log.warning("%s did not return within %g s: refused the request with status 503", name, self._limit_s)
            raise CapacityError(_BUSY) from error

    async def unlimited(self, function: Callable[..., Any], *args: Any) -> Any:
        """``run`` without the time limit, for calls inside of a limited one."""
        try:
            result = function(*args) if runs_on_loop(function) else await self._on_thread(function, *args)
            # A plain function may return an awaitable, too. An awaitable is true: it must never count as a user.
            return await result if inspect.isawaitable(result) else result
        except SystemExit as error:  # it must not end the event loop
            raise RuntimeError(f"the code ended with {error!r}") from error

    async def _on_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        self.start()
        assert self._pool is not None
        self._check_room(self._pool, function)
        call = _Call(partial(contextvars.copy_context().run, function, *args))
        try:
            return await self._pool.run(call)
        except asyncio.CancelledError:  # the time is up, or the client has disconnected
            if call.begun_s is not None:
                self._left.append(call)
            raise

    def _check_room(self, pool: ThreadPool, function: Callable[..., Any]) -> None:
        """Raise ``CapacityError`` if no thread could run the call in time."""
        self._left = [call for call in self._left if not call.has_ended]
        stuck = sum(call.is_stuck(self._limit_s) for call in self._left)
        if stuck < self._threads and pool.waiting_count < self._waiting_most:
            return
        name = getattr(function, "__qualname__", repr(function))
        _log.warning("%s: %d of %d threads are stuck and %d calls wait: refused a request with status 503",
                     name, stuck, self._threads, pool.waiting_count)
        raise CapacityError(_BUSY)


def runs_on_loop(function: Callable[..., Any]) -> bool:
    """Whether a function runs on the event loop: it is async, or a tornado coroutine (``gen.coroutine``)."""
    if getattr(function, "__tornado_coroutine__", False):
        return True
    function = inspect.unwrap(getattr(function, "__func__", function))
    called = function if inspect.isroutine(function) else type(function).__call__
    return inspect.iscoroutinefunction(called)
