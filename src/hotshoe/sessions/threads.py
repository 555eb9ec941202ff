"""The pool of threads that run app code. It grows on demand, up to a limit, and shrinks when idle.

The standard executor is no fit: it joins its threads at exit, so that one stuck callback would keep the process.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

log = logging.getLogger("hotshoe.threads")

Job = Callable[[], None]

IDLE_S = 30.0
"""How long a thread without work is kept."""


def post(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    """Call ``callback`` on ``loop``, from any thread. Nothing happens once the loop is closed.

    A callback of an app may outlive the server; what it then still wants of the loop concerns nobody.
    """
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise


class ThreadPool:
    """Runs jobs on at most ``most`` daemon threads, in the order in which they were submitted.

    In its threads ``asyncio.get_event_loop()`` and tornado's ``IOLoop.current()`` give ``loop``.
    """

    def __init__(self, most: int, loop: asyncio.AbstractEventLoop) -> None:
        self._most = most
        self._loop = loop
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._mutex = threading.Lock()
        self._spare = 0  # waiting threads minus waiting jobs
        self._count = 0
        self._closed = False

    @property
    def count(self) -> int:
        """Threads alive."""
        return self._count

    def submit(self, job: Job) -> None:
        """Run ``job`` on a thread, soon. What it raises is logged; jobs are expected not to raise."""
        with self._mutex:
            if self._closed:
                raise RuntimeError("the thread pool is closed")
            grow = self._spare <= 0 and self._count < self._most
            if grow:
                self._count += 1
            else:
                self._spare -= 1
        self._jobs.put(job)
        if grow:
            threading.Thread(target=self._work, name="hotshoe-lane", daemon=True).start()

    def replace_stuck(self) -> None:
        """Allow one thread more, in place of one that has been given up."""
        with self._mutex:
            self._most += 1

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
        """Let idle threads end at once and busy ones after their job. Does not wait."""
        with self._mutex:
            self._closed = True
            count = self._count
        for _ in range(count):
            self._jobs.put(None)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        while (job := self._next()) is not None:
            try:
                job()
            except BaseException:
                log.exception("a job of the thread pool failed")
            del job  # it may hold a session, which must not live as long as this thread is idle
            with self._mutex:
                self._spare += 1
        asyncio.set_event_loop(None)

    def _next(self) -> Job | None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_S)
            except Empty:
                with self._mutex:
                    if self._spare <= 0:
                        continue  # a job was promised to this thread meanwhile
                    self._spare -= 1
                    self._count -= 1
                return None
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
