"""A pool of threads that grows and shrinks on demand: for app code, slow files, and WSGI sites.

Python's ThreadPoolExecutor, which ``asyncio.to_thread`` also uses, joins its threads at exit, so one stuck callback or
hanging network mount would keep the process alive. ``make lint`` checks that nothing in src/ uses it.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from . import housekeeping

log = logging.getLogger("hotshoe.threads")

P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[[], None]

IDLE_S = 30.0
"""How long an idle thread is kept."""

EAGER = 4
"""Up to this number, threads for app code start as soon as there is a job for them."""

PATIENCE_S = 0.002
"""More threads start when jobs have waited this long and none of them has begun."""

SHARED_MOST = 32
"""The most threads for ``in_thread`` in a process."""

COMPUTING_MOST = 4
"""The most threads for ``compute`` in a process."""


def post(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    """Call ``callback`` on ``loop``, from any thread. Does nothing if the loop is closed.

    A callback of an app may run longer than the server; its late calls do not matter.
    """
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise


class _Worker:
    """A thread of the pool. It waits for the lock ``wake``, and then runs ``job``, or ends if that is ``None``."""

    __slots__ = ("job", "wake")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.wake = threading.Lock()
        self.wake.acquire()


class _Call(Future[T]):
    """A submitted call and its result. If it is cancelled before it begins, it leaves the queue."""

    def __init__(self, pool: ThreadPool, function: Callable[[], T]) -> None:
        super().__init__()
        self._pool = pool
        self._function: Callable[[], T] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None  # its objects must not live as long as its result
        if function is None or not self.set_running_or_notify_cancel():
            return
        try:
            result = function()
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(result)

    def cancel(self) -> bool:
        """Cancel the call, unless it has begun."""
        if not super().cancel():
            return False
        self._function = None
        self._pool.forget(self)
        return True


class ThreadPool(Executor):
    """Runs jobs on at most ``most`` daemon threads, in the order of submission.

    With ``loop``, the threads are for app code: there, ``asyncio.get_event_loop()`` and tornado's ``IOLoop.current()``
    return that loop, and ``housekeeping`` cleans up after each job. Short jobs share few threads: more than ``EAGER``
    start only if a job has waited for ``PATIENCE_S``, so that threads compete less for Python's lock. Without a loop
    each job gets a thread at once, up to ``most``.

    The idle thread that worked last gets the next job. ``idle_s`` is how long an idle thread is kept.
    """

    def __init__(self, most: int, loop: asyncio.AbstractEventLoop | None = None, *, name: str = "hotshoe-lane",
                 idle_s: float | None = None) -> None:
        self._most = most
        self._eager = most if loop is None else min(EAGER, most)
        self._loop = loop
        self._name = name
        self._idle_s = IDLE_S if idle_s is None else idle_s
        self._mutex = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._idle: list[_Worker] = []
        self._count = 0
        self._begun = 0
        """The number of jobs that have ever begun; while it grows, waiting jobs make progress."""
        self._is_checking = False
        self._closed = False

    @property
    def count(self) -> int:
        """The number of threads."""
        return self._count

    @property
    def waiting_count(self) -> int:
        """The number of jobs that wait for a thread."""
        return len(self._waiting)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call ``fn`` on a thread, as any executor does. Raises ``RuntimeError`` if the pool is closed."""
        call = _Call(self, partial(fn, *args, **kwargs))
        self.start(call)
        return call

    def start(self, job: Job) -> None:
        """Run ``job`` on a thread, soon. Jobs should not raise; if one does, the error is logged."""
        with self._mutex:
            if self._closed:
                raise RuntimeError("the thread pool is closed")
            if self._idle:
                self._wake(job)
                return
            self._waiting.append(job)
            if self._count < self._eager:
                self._grow()
                return
            if self._loop is None or self._is_checking or self._count >= self._most:
                return
            self._is_checking = True
        post(self._loop, self._check_later, self._loop)

    def forget(self, job: Job) -> None:
        """Do not run ``job``, unless it has begun."""
        with self._mutex, suppress(ValueError):
            self._waiting.remove(job)

    def _wake(self, job: Job) -> None:
        worker = self._idle.pop()
        worker.job = job
        self._begun += 1
        worker.wake.release()

    def _grow(self) -> None:
        """Start a thread. Raises ``RuntimeError`` if that fails and there is no thread for the waiting job."""
        self._count += 1
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError as error:
            self._count -= 1
            if not self._count:
                self._waiting.pop()
                raise RuntimeError(f"no thread for the pool {self._name}: {error}") from error

    def _check_later(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(PATIENCE_S, self._check, loop, self._begun)

    def _check(self, loop: asyncio.AbstractEventLoop, begun: int) -> None:
        with self._mutex:
            if self._begun == begun:  # all threads have long jobs, or the machine is busy with something else
                some = max(1, self._count // 2)
                for _ in range(min(some, len(self._waiting), self._most - self._count)):
                    self._grow()
            self._is_checking = bool(self._waiting) and self._count < self._most and not self._closed
        if self._is_checking:
            self._check_later(loop)

    def replace_stuck(self) -> None:
        """Allow one more thread, to replace a stuck one."""
        with self._mutex:
            self._most += 1
            if self._waiting and not self._closed:
                self._grow()

    async def run(self, function: Callable[[], Any]) -> Any:
        """Run ``function`` on a thread of the pool. Returns its result, or raises its exception.

        ``SystemExit`` and the like become ``RuntimeError``. ``function`` never runs if the caller is cancelled before.
        """
        job = self.submit(_call_safely, function)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            job.add_done_callback(_close_coroutine)
            raise

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """``close``; with ``cancel_futures`` also cancel submitted calls that have not begun. Never waits."""
        self.close()
        if cancel_futures:
            for job in list(self._waiting):
                if isinstance(job, Future):
                    job.cancel()

    def close(self) -> None:
        """Let idle threads end at once, and busy threads after all jobs. Does not wait."""
        with self._mutex:
            self._closed = True
            for worker in self._idle:
                worker.wake.release()
            self._idle.clear()

    def _work(self) -> None:
        if self._loop is not None:
            asyncio.set_event_loop(self._loop)
        worker, idle_s = _Worker(), self._idle_s
        while (job := self._next(worker, idle_s)) is not None:
            try:
                job()
            except BaseException:
                log.exception("A job of the thread pool failed")
            del job  # a session that it holds must not live as long as this thread is idle
            if self._loop is not None:
                allowed_s = housekeeping.tidy()
                idle_s = self._idle_s if allowed_s is None else min(allowed_s, self._idle_s)
        if self._loop is not None:
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
            worker.wake.acquire()  # it got a job meanwhile, or must end
        job, worker.job = worker.job, None
        if job is None:
            with self._mutex:
                self._count -= 1
        return job


def _call_safely(function: Callable[[], T]) -> T:
    """Call ``function``; an exception that would end the waiting task or its loop becomes a ``RuntimeError``."""
    try:
        return function()
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise RuntimeError(f"the app's code ended with {error!r}") from error


def _close_coroutine(job: Future[Any]) -> None:
    """Close a coroutine that nobody will await: Python would warn of it."""
    if not job.cancelled() and job.exception() is None and inspect.iscoroutine(job.result()):
        job.result().close()


def _make_pools() -> None:
    global _for_waiting, _for_computing
    _for_waiting = ThreadPool(SHARED_MOST, name="hotshoe-shared")
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
