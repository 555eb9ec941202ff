"""Where the code of each app runs (``--app-thread``): on the host's pool, on a thread of the app's own, or on the loop.

A thread of an app's own is always the same, from loading the app to its last hook: nothing ever takes its place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..base.errors import AppError
from ..base.lent_loop import is_current
from ..base.submitted_calls import SubmittedCall
from ..base.thread_errors import AppThread
from ..base.threads import ThreadPool, post
from ..base.turns import Shares
from ..config import Settings, value_for
from ..sessions import Registry
from .watch import LOOK_EVERY_S, Watch

T = TypeVar("T")

SPARE = 7
"""How many more threads may start in the places of those whose callbacks only wait, in multiples of --threads."""

BEGIN_S = 30.0
"""The longest wait until a call on an app's own thread, or on the loop, begins: a callback there may be stuck."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where the code of one app runs, and how much of it each user, address and app may use."""

    thread: AppThread
    pool: ThreadPool | None
    """``None`` is the event loop."""
    shares: Shares = field(default_factory=Shares)
    """Of this pool only: a gate belongs to one pool."""
    running_loop: bool = True
    """Whether the event loop counts as running on these threads (``--running-loop``)."""


class AppThreads:
    """The threads of one host. It can load apps before ``start``; a new start after ``close`` makes new threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shared = Workplace("loop", None)
        self._own: dict[str, Workplace] = {}
        self._watches: dict[ThreadPool, Watch] = {}
        self._process = os.getpid()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make the pool of the apps that have no thread of their own, and begin to serve ``loop``."""
        if self._process != os.getpid():  # a fork does not have the threads
            self._own, self._process = {}, os.getpid()
        self._loop = loop
        threads = self._settings.threads
        shares = Shares(threads, self._settings.max_computing_per_user)
        spare = SPARE * threads if threads > 1 else 0  # one thread runs one callback at a time, also if it waits
        pool = ThreadPool(threads, loop, spare=spare) if threads else None
        self._shared = Workplace("pool" if threads else "loop", pool, shares)
        for own in self._own.values():
            assert own.pool is not None
            own.pool.serve(loop)

    def close(self) -> None:
        """Let idle threads end now, and busy ones after their work. Does not wait."""
        places, self._own = [self._shared, *self._own.values()], {}
        self._watches.clear()
        for place in places:
            if place.pool is not None:
                place.pool.close()

    def after_fork(self) -> None:
        """In a child there are no threads: take no work any more."""
        for pool in self._pools():
            pool.after_fork()

    def at(self, url: str | None) -> Workplace:
        """The place of the code of the app at ``url``, or of code of no single app."""
        place = self._at(url)
        is_running = url is None or value_for(self._settings.running_loop, url) != "no"
        return place if is_running else replace(place, running_loop=False)

    def _at(self, url: str | None) -> Workplace:
        thread = None if url is None else value_for(self._settings.app_thread, url)
        if url is None or thread in (None, "pool"):
            return self._shared
        if thread == "loop":
            return Workplace("loop", None, self._shared.shares)
        if (own := self._own.get(url)) is None:
            pool = ThreadPool(1, self._loop, name=f"hotshoe-app{url}", is_lasting=True)
            own = self._own[url] = Workplace("own", pool, Shares(1, self._settings.max_computing_per_user))
        return own

    def forget(self, url: str) -> None:
        """End the thread of an app that has been withdrawn."""
        if (own := self._own.pop(url, None)) is not None and own.pool is not None:
            self._watches.pop(own.pool, None)
            own.pool.close()

    def call(self, url: str, function: Callable[[], T]) -> T:
        """Call ``function`` where the app's code runs, and wait. Not for the app's own code.

        A shared thread is as good as any other: there it is called at once. Raises ``AppError`` if another piece of the
        app's code is busy there for ``BEGIN_S``.
        """
        place = self.at(url)
        if place.thread == "own" and place.pool is not None:
            return _result_of(place.pool.submit(function), url, place)
        if place.thread == "loop" and self._loop is not None and not is_current(self._loop):
            called: SubmittedCall[T] = SubmittedCall(function, _leave_queued)
            post(self._loop, called)
            return _result_of(called, url, place)
        return function()

    @property
    def count(self) -> int:
        """The number of threads."""
        return sum(pool.count for pool in self._pools())

    async def watch(self, registries: Mapping[str, Registry], lifetime_s: float) -> None:
        """Watch the threads until cancelled (``Watch``)."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for pool, app in self._pools().items():
                if pool not in self._watches:
                    most = self._settings.threads if app is None else 1
                    spare = SPARE * most if app is None else 0
                    self._watches[pool] = Watch(pool, registries, most=most, spare=spare, lifetime_s=lifetime_s,
                                                app=app)
                await self._watches[pool].look()

    def _pools(self) -> dict[ThreadPool, str | None]:
        """All pools, and of which app each is."""
        owns = list(self._own.items())  # a thread that loads an app may add one meanwhile
        pools: dict[ThreadPool, str | None] = {own.pool: url for url, own in owns if own.pool is not None}
        return pools if self._shared.pool is None else {self._shared.pool: None, **pools}


def _result_of(called: Future[T], url: str, place: Workplace) -> T:
    wait([called], BEGIN_S)
    if called.cancel():  # it has not begun
        where = "event loop" if place.thread == "loop" else "thread"
        raise AppError(f"{url}: can't be loaded, since its {where} was busy for {BEGIN_S:g} s (--app-thread "
                       f"{place.thread}); try again when its callback has ended, or start the server again")
    return called.result()


def _leave_queued(call: Future[T]) -> None:
    """A call that waits on the loop can't be taken out of its queue."""
