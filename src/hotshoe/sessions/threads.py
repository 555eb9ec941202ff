"""The pool of threads that run app code. It grows on demand, up to a limit, and shrinks when idle.

The standard executor is no fit: it joins its threads at exit, so that one stuck callback would keep the process.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from . import housekeeping

log = logging.getLogger("hotshoe.threads")

Job = Callable[[], None]

IDLE_S = 30.0
"""How long a thread without work is kept."""

EAGER = 4
"""So many threads are started as soon as there is a job for them."""

PATIENCE_S = 0.002
"""How long jobs wait, and none of them begins, before more are."""


def post(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    """Call ``callback`` on ``loop``, from any thread. Nothing happens once the loop is closed.

    A callback of an app may outlive the server; what it then still wants of the loop concerns nobody.
    """
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise


class _Worker:
    """A thread of the pool: it sleeps on ``wake``, whose release says that ``job`` is there, or that it is to end."""

    __slots__ = ("job", "wake")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.wake = threading.Lock()
        self.wake.acquire()


class ThreadPool:
    """Runs jobs on at most ``most`` daemon threads, in the order in which they were submitted.

    Few threads run what is short: more than ``EAGER`` are started only if a job has waited for ``PATIENCE_S``, so
    that those that run do not take Python's lock in turns. Of idle threads the one that worked last works next.
    In its threads ``asyncio.get_event_loop()`` and tornado's ``IOLoop.current()`` give ``loop``.
    """

    def __init__(self, most: int, loop: asyncio.AbstractEventLoop) -> None:
        self._most = most
        self._loop = loop
        self._mutex = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._idle: list[_Worker] = []
        self._count = 0
        self._begun = 0
        """Jobs that have ever begun: whether it moves tells whether those that wait are on their way."""
        self._looks = False
        self._closed = False

    @property
    def count(self) -> int:
        """Threads alive."""
        return self._count

    @property
    def idle_count(self) -> int:
        """Threads that wait for a job."""
        return len(self._idle)

    def submit(self, job: Job) -> None:
        """Run ``job`` on a thread, soon. What it raises is logged; jobs are expected not to raise."""
        with self._mutex:
            if self._closed:
                raise RuntimeError("the thread pool is closed")
            if self._idle:
                self._wake(job)
                return
            self._waiting.append(job)
            if self._count < min(EAGER, self._most):
                self._grow()
                return
            if self._looks or self._count >= self._most:
                return
            self._looks = True
        post(self._loop, self._look_later)

    def _wake(self, job: Job) -> None:
        worker = self._idle.pop()
        worker.job = job
        self._begun += 1
        worker.wake.release()

    def _grow(self) -> None:
        self._count += 1
        threading.Thread(target=self._work, name="hotshoe-lane", daemon=True).start()

    def _look_later(self) -> None:
        self._loop.call_later(PATIENCE_S, self._look, self._begun)

    def _look(self, begun: int) -> None:
        with self._mutex:
            if self._begun == begun:  # all threads are in something long, or the machine is busy with something else
                some = max(1, self._count // 2)
                for _ in range(min(some, len(self._waiting), self._most - self._count)):
                    self._grow()
            self._looks = bool(self._waiting) and self._count < self._most and not self._closed
        if self._looks:
            self._look_later()

    def replace_stuck(self) -> None:
        """Allow one thread more, in place of one that has been given up."""
        with self._mutex:
            self._most += 1
            if self._waiting and not self._closed:
                self._grow()

    async def run(self, function: Callable[[], Any]) -> Any:
        """What ``function`` gives on a thread of the pool. ``SystemExit`` and its like become ``RuntimeError``."""
        done: asyncio.Future[Any] = self._loop.create_future()

        def job() -> None:
            try:
                result, error = function(), None
            except BaseException as raised:
                result, error = None, raised
            post(self._loop, _resolve, done, result, error)

        self.submit(job)
        return await done

    def close(self) -> None:
        """Let idle threads end at once and busy ones after their job and those that wait. Does not wait."""
        with self._mutex:
            self._closed = True
            for worker in self._idle:
                worker.wake.release()
            self._idle.clear()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        worker, idle_s = _Worker(), IDLE_S
        while (job := self._next(worker, idle_s)) is not None:
            try:
                job()
            except BaseException:
                log.exception("a job of the thread pool failed")
            del job  # it may hold a session, which must not live as long as this thread is idle
            allowed_s = housekeeping.tidy()
            idle_s = IDLE_S if allowed_s is None else min(allowed_s, IDLE_S)
        housekeeping.leave()
        asyncio.set_event_loop(None)

    def _next(self, worker: _Worker, idle_s: float) -> Job | None:
        with self._mutex:
            if self._waiting:
                self._begun += 1
                return self._waiting.popleft()
            if self._closed:
                self._count -= 1
                return None
            self._idle.append(worker)
        if not worker.wake.acquire(timeout=idle_s):
            with self._mutex:
                if worker in self._idle:
                    self._idle.remove(worker)
                    self._count -= 1
                    return None
            worker.wake.acquire()  # a job was given to it meanwhile, or the order to end
        job, worker.job = worker.job, None
        if job is None:
            with self._mutex:
                self._count -= 1
        return job


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # whoever waited may have been cancelled
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        future.set_exception(error)
    else:
        future.set_exception(RuntimeError(f"the app's code ended with {error!r}"))
