"""The threads on which a WSGI site answers. No end of the process waits for them: a view may never return.

The standard executor is no fit: it joins its threads at exit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

IDLE_S = 30.0
"""How long a thread without work is kept."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Job = tuple[Future[Any], Callable[[], Any]]


class SiteThreads(Executor):
    """At most ``most`` daemon threads, which come and go with the work."""

    def __init__(self, most: int, *, idle_s: float = IDLE_S) -> None:
        self._most = most
        self._idle_s = idle_s
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._count = 0
        self._idle = 0

    @property
    def count(self) -> int:
        """Threads alive."""
        return self._count

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Call ``fn`` on a thread, in the order in which calls have come."""
        future: Future[_T] = Future()
        with self._changed:
            self._jobs.append((future, partial(fn, *args, **kwargs)))
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._count < self._most:
                threading.Thread(target=self._work, name="hotshoe-site", daemon=True).start()
                self._count += 1
        return future

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            del job, future, call  # a request is not to live as long as this thread is idle

    def _next(self) -> _Job | None:
        with self._changed:
            self._idle += 1
            try:
                if not self._changed.wait_for(lambda: self._jobs, self._idle_s):
                    self._count -= 1
                    return None
                return self._jobs.popleft()
            finally:
                self._idle -= 1
