"""A pool of threads that grows and shrinks on demand: for app code, slow files, and WSGI sites.

Python's ThreadPoolExecutor, which ``asyncio.to_thread`` also uses, joins its threads at exit, so one stuck callback or
hanging network mount would keep the process alive. ``make lint`` checks that nothing in src/ uses it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from . import housekeeping
from .app_tasks import context_without_owner, owner
from .submitted_calls import SubmittedCall, call_safely, close_coroutine
from .turns import FREE, Job, Pass, TurnQueue, Turns, enter
from .workers import SPAN_S, RunningJob, Worker, frame_of, revoke_exception, set_exception

log = logging.getLogger("hotshoe.threads")

P = ParamSpec("P")
T = TypeVar("T")

IDLE_S = 30.0
"""How long an idle thread is kept."""

EAGER = 4
"""Up to this number, threads for app code start as soon as there is a job for them."""

PATIENCE_S = 0.002
"""More threads start when jobs have waited this long and none of them has begun."""


def post(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    """Call ``callback`` on ``loop``, from any thread. Does nothing if the loop is closed.

    A callback of an app may run longer than the server; its late calls do not matter. Tasks that ``callback`` makes are
    the server's own, also if app code calls this.
    """
    context = None if owner.get() is None else context_without_owner()
    try:
        loop.call_soon_threadsafe(callback, *args, context=context)
    except RuntimeError:
        if not loop.is_closed():
            raise


class ThreadPool(Executor):
    """Runs jobs on at most ``most`` daemon threads: those of one line in the order of submission, lines in turn.

    With ``loop``, the threads are for app code: there, ``asyncio.get_event_loop()`` and tornado's ``IOLoop.current()``
    return that loop, and ``housekeeping`` cleans up after each job. Short jobs share few threads: more than ``EAGER``
    start only if a job has waited for ``PATIENCE_S``, so that threads compete less for Python's lock. Without a loop
    each job gets a thread at once, up to ``most``.

    Up to ``spare`` threads whose jobs only wait do not count: others start in their places. The idle thread that worked
    last gets the next job. ``idle_s`` is how long an idle thread is kept. The threads of a *lasting* pool never end
    before ``close``, and no other thread starts in the place of one that is stuck.
    """

    def __init__(self, most: int, loop: asyncio.AbstractEventLoop | None = None, *, spare: int = 0,
                 name: str = "hotshoe-lane", idle_s: float | None = None, is_lasting: bool = False) -> None:
        self._most = most
        self._spare = spare
        self._eager = most if loop is None else min(EAGER, most)
        self._loop = loop
        self._name = name
        self._idle_s = IDLE_S if idle_s is None else idle_s
        self._is_lasting = is_lasting
        self._apart: ThreadPool | None = None
        # Reentrant, since with it held Python may collect garbage, and a destructor of an app may start a job.
        self._mutex = threading.RLock()
        self._turns = Turns()
        self._line = TurnQueue()
        """For jobs of no other line."""
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._count = 0
        self._waiting_jobs = self._lost_jobs = 0
        """How many jobs run that only wait, and how many that were given up."""
        self._begun = 0
        """The number of jobs that have ever begun; while it grows, waiting jobs make progress."""
        self._is_checking = False
        self._looked_s = 0.0
        self._closed = False

    @property
    def count(self) -> int:
        """The number of threads."""
        return self._count

    @property
    def waiting_count(self) -> int:
        """The number of jobs that wait for a thread."""
        return len(self._turns)

    def serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run app code for ``loop`` from now on: of a pool that was made before there was one."""
        self._loop = loop

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call ``fn`` on a thread, as any executor does. Raises ``RuntimeError`` if the pool is closed."""
        call = SubmittedCall(partial(fn, *args, **kwargs), self.forget)
        self.start(call)
        return call

    def start(self, job: Job, line: TurnQueue | None = None) -> None:
        """Run ``job`` on a thread, when its line has its turn. Jobs should not raise; if one does, it is logged."""
        if line is None:
            line = self._line
        with self._mutex:
            if self._closed:
                raise RuntimeError("the thread pool is closed")
            if self._idle and (passed := self._turns.admit(line)) is not None:
                self._wake(line, job, passed)
                return
            if self._turns.add(line, job) and self._count < self._eager:
                self._grow(line, job)
            else:
                self._check_soon()

    def forget(self, job: Job, line: TurnQueue | None = None) -> bool:
        """Do not run ``job``, unless it has begun. Returns whether it waited."""
        with self._mutex:
            return self._turns.remove(self._line if line is None else line, job)

    def _wake(self, line: TurnQueue, job: Job, passed: Pass) -> None:
        worker = self._idle.pop()
        worker.job = job
        self._note(worker, line, passed)
        worker.wake.release()

    def _note(self, worker: Worker, line: TurnQueue, passed: Pass) -> None:
        """Note that a job of ``line`` begins."""
        worker.begin(line, passed)
        self._waiting_jobs += worker.is_waiting
        self._begun += 1

    def _wake_more(self) -> None:
        """Give the idle threads jobs whose gates have opened."""
        while self._idle and (taken := self._turns.take()) is not None:
            self._wake(*taken)

    def _grow(self, line: TurnQueue, job: Job) -> None:
        """Start a thread. Raises ``RuntimeError`` if that fails and there is no thread for this job."""
        self._count += 1
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError as error:
            self._count -= 1
            if not self._count:
                self._turns.remove(line, job)
                raise RuntimeError(f"no thread for the pool {self._name}: {error}") from error

    @property
    def _room(self) -> int:
        """How many more threads may start."""
        return self._most + min(self._waiting_jobs, self._spare) + self._lost_jobs - self._count

    def _check_soon(self) -> None:
        if self._loop is not None and not self._is_checking:
            self._is_checking = True
            post(self._loop, self._check_later, self._loop)

    def _check_later(self, loop: asyncio.AbstractEventLoop) -> None:
        may_grow = self._turns.ready_count and self._room > 0
        loop.call_later(PATIENCE_S if may_grow else SPAN_S, self._check, loop, self._begun)

    def _check(self, loop: asyncio.AbstractEventLoop, begun: int) -> None:
        if time.monotonic() - self._looked_s > SPAN_S:
            self.look()
        with self._mutex:
            if self._begun == begun:  # all threads have long jobs, or the machine is busy with something else
                some = max(1, self._count // 2)
                with suppress(RuntimeError):  # the system gives no thread now: the next look tries again
                    for _ in range(min(some, self._turns.ready_count, self._room)):
                        self._grow(self._line, _nothing)
            self._is_checking = bool(self._turns) and not self._closed
        if self._is_checking:
            self._check_later(loop)

    def look(self) -> None:
        """Find out which jobs only wait: they leave their gates, and their threads do not count any more."""
        with self._mutex:
            self._looked_s = now_s = time.monotonic()
            busy = [worker for worker in self._workers if worker.line is not None and not worker.is_lost]
            computing_count = 1 + len(busy) - self._waiting_jobs
            for worker in busy:
                is_waiting = worker.waits(now_s, computing_count)
                if is_waiting and not worker.is_waiting:
                    self._waiting_jobs += 1
                    self._turns.leave(worker.passed.computing)
                elif worker.is_waiting and not is_waiting:
                    self._waiting_jobs -= 1
                    enter(worker.passed.computing)
                worker.is_waiting = is_waiting
            self._wake_more()

    def running(self) -> list[RunningJob]:
        """The jobs that run now."""
        with self._mutex:
            return [RunningJob(worker, worker.serial, worker.line.owner(), worker.since_s, worker.is_waiting,
                            worker.is_lost)
                    for worker in self._workers if worker.line is not None]

    @property
    def lost_count(self) -> int:
        """The number of threads whose jobs were given up and still run."""
        return self._lost_jobs

    def give_up(self, line: TurnQueue) -> None:
        """Do not count the threads of the jobs of ``line`` that run: others may start in their places."""
        if self._is_lasting:
            return
        with self._mutex:
            for worker in self._workers:
                if worker.line is line and not worker.is_lost:
                    self._lose(worker)
            self._wake_more()
            if self._turns.ready_count and self._room > 0 and not self._closed:
                self._grow(self._line, _nothing)

    def substitute(self) -> ThreadPool:
        """The pool for more work of a line that was given up: of a lasting pool, some threads apart."""
        if not self._is_lasting:
            return self
        with self._mutex:
            if self._apart is None:
                self._apart = ThreadPool(EAGER, self._loop, name=f"{self._name}-end")
            return self._apart

    def _lose(self, worker: Worker) -> None:
        if worker.is_waiting:
            self._waiting_jobs -= 1
        else:
            self._turns.leave(worker.passed.computing)
        self._turns.leave(worker.passed.kept)
        worker.passed = FREE
        worker.is_waiting, worker.is_lost = False, True
        self._lost_jobs += 1

    def interrupt(self, job: RunningJob, error: type[BaseException], is_safe: Callable[[FrameType], bool]) -> bool:
        """Raise ``error`` in the thread of ``job``, if it still runs this job and ``is_safe(its frame)``.

        The thread may go on between two steps of this method, so it looks again after it. Returns whether it did.
        """
        worker = job.worker
        with self._mutex:
            if worker.line is None or worker.serial != job.serial or not _stands_safely(worker.ident, is_safe):
                return False
            set_exception(worker.ident, error)
            if not _stands_safely(worker.ident, is_safe):
                revoke_exception(worker.ident)
                return False
            worker.interrupted = True
            return True

    async def run(self, function: Callable[[], Any]) -> Any:
        """Run ``function`` on a thread of the pool. Returns its result, or raises its exception.

        ``SystemExit`` and the like become ``RuntimeError``. ``function`` never runs if the caller is cancelled before.
        """
        job = self.submit(call_safely, function)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            job.add_done_callback(close_coroutine)
            raise

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """``close``; with ``cancel_futures`` also cancel submitted calls that have not begun. Never waits."""
        self.close()
        if cancel_futures:
            with self._mutex:
                jobs = self._turns.jobs()
            for job in jobs:
                if isinstance(job, Future):
                    job.cancel()

    def close(self) -> None:
        """Let idle threads end at once, and busy threads after all jobs. Does not wait."""
        with self._mutex:
            self._closed = True
            if self._apart is not None:
                self._apart.close()
            for worker in self._idle:
                worker.wake.release()
            self._idle.clear()

    def after_fork(self) -> None:
        """In a child there are no threads, and the lock may be locked for ever: take no job any more."""
        self._mutex = threading.RLock()
        self._closed = True
        self._turns, self._workers, self._idle, self._count = Turns(), set(), [], 0
        if self._apart is not None:
            self._apart.after_fork()

    def _work(self) -> None:
        worker, idle_s = Worker(), self._idle_s
        with self._mutex:
            self._workers.add(worker)
        while (job := self._next(worker, idle_s)) is not None:
            loop = self._loop
            if loop is not None:
                asyncio.set_event_loop(loop)  # an app may have replaced it: asyncio.run() leaves none
            try:
                job()
            except BaseException:
                log.exception("A job of the thread pool failed")
            del job  # a session that it holds must not live as long as this thread is idle
            if loop is not None:
                allowed_s = housekeeping.tidy()
                idle_s = self._idle_s if allowed_s is None else min(allowed_s, self._idle_s)
        if self._loop is not None:
            housekeeping.leave()
            asyncio.set_event_loop(None)

    def _next(self, worker: Worker, idle_s: float) -> Job | None:
        with self._mutex:
            self._end_job(worker)
            if (taken := self._turns.take()) is not None:
                line, job, passed = taken
                self._note(worker, line, passed)
                self._wake_more()
                return job
            if self._turns:
                self._check_soon()  # all that wait, wait at gates
            if self._closed:
                self._end_worker(worker)
                return None
            self._idle.append(worker)
        if not worker.wake.acquire(timeout=idle_s):
            if self._is_lasting:
                housekeeping.leave()
            elif self._end_idle(worker):
                return None
            worker.wake.acquire()  # for the next job, or one that it got meanwhile, or it must end
        given, worker.job = worker.job, None
        if given is None:
            with self._mutex:
                self._end_worker(worker)
        return given

    def _end_idle(self, worker: Worker) -> bool:
        with self._mutex:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._end_worker(worker)
            return True

    def _end_job(self, worker: Worker) -> None:
        if worker.line is None:
            return
        if worker.interrupted:
            revoke_exception(worker.ident)  # the next job must not get it
        worker.line.only_waits = worker.waited(1 + self._count - len(self._idle) - self._waiting_jobs)
        if worker.is_lost:
            self._lost_jobs -= 1
        else:
            if worker.is_waiting:
                self._waiting_jobs -= 1
            else:
                self._turns.leave(worker.passed.computing)
            self._turns.leave(worker.passed.kept)
        worker.line, worker.passed = None, FREE
        worker.is_waiting = worker.is_lost = worker.interrupted = False

    def _end_worker(self, worker: Worker) -> None:
        self._count -= 1
        self._workers.discard(worker)


def _stands_safely(ident: int, is_safe: Callable[[FrameType], bool]) -> bool:
    frame = frame_of(ident)
    return frame is not None and is_safe(frame)


def _nothing() -> None:
    pass
