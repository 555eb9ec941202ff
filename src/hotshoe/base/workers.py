"""A thread of a pool as the pool sees it: which job it runs, since when, and whether the job computes or only waits."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from .turns import FREE, Job, Pass, TurnQueue

SPAN_S = 0.04
"""The processor time of a job is looked at over spans of at least this length."""

WAITS_BELOW = 0.1
"""A job that uses less of a processor than this only waits, for instance for a database, or in short pauses.

It must do so for two spans. On a busy machine it may also have wanted a processor and got none: that counts as use.
"""

FAIR_PART = 0.25
"""If many threads compute, each gets little: a job that uses less than this part of a fair share only waits. A thread
that waits for Python's lock wakes every switch interval, which is more than that."""

LONG_S = 0.005
"""A shorter job tells nothing about the next one of its line; nor does a build."""

UNKNOWN_S = 1.0
"""Where the system does not tell the processor time of a thread, a job counts as waiting after this time."""


class Worker:
    """A thread of a pool. It waits for the lock ``wake``, and then runs ``job``, or ends if that is ``None``.

    All but ``wake`` is read and written with the pool's lock held. Make it on the thread itself.
    """

    __slots__ = ("_clock", "_is_build", "_looked_s", "_queued_s", "_serial", "_thread", "_total_s", "_used_s", "ident",
                 "interrupted", "is_lost", "is_waiting", "job", "line", "passed", "serial", "since_s", "wake")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self._clock = processor_clock(self.ident)
        self.job: Job | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self.line: TurnQueue | None = None
        """The line whose job runs; ``None`` while no job does."""
        self.passed = FREE
        """The gates that the job has passed."""
        self.serial = 0
        """The number of jobs that have begun here: tells a job from the next one."""
        self.since_s = 0.0
        self.is_waiting = False
        """Whether the job waits, so that another thread may run instead."""
        self.is_lost = False
        """Whether the pool has given up the job: it has no gates any more."""
        self.interrupted = False
        """Whether an exception was raised in the thread to end the job."""
        self._thread = threading.get_native_id()
        self._serial = 0
        """The job at the last look."""
        self._looked_s = self._used_s = 0.0
        self._is_build = False
        self._total_s = time.thread_time()
        """The processor time of the thread at the end of its last job."""
        self._queued_s: float | None = None
        """How long the thread had waited for a processor when it first seemed to wait."""

    def begin(self, line: TurnQueue, passed: Pass) -> None:
        """Note that a job of ``line`` begins."""
        self.line, self.passed, self.since_s = line, passed, time.monotonic()
        self.serial += 1
        self.is_waiting = line.only_waits
        self._is_build = line.is_build

    def waited(self, computing_count: int) -> bool:
        """Whether the job, which has ended, only waited; what is known of its line if that can't be told.

        Call it on the thread itself.
        """
        assert self.line is not None
        before_s, self._total_s = self._total_s, time.thread_time()
        length_s = time.monotonic() - self.since_s
        if self._is_build or length_s < LONG_S:
            return self.line.only_waits
        return self._total_s - before_s < _least(computing_count) * length_s

    def waits(self, now_s: float, computing_count: int) -> bool:
        """Whether the job waits. ``computing_count`` threads compute, this one and the event loop's among them."""
        if self._clock is None:
            return now_s - self.since_s > UNKNOWN_S
        is_first, self._serial = self._serial != self.serial, self.serial
        span_s = now_s - self._looked_s
        if not is_first and span_s < SPAN_S:
            return self.is_waiting
        used_s = time.clock_gettime(self._clock)
        part = (used_s - self._used_s) / span_s if span_s else 1.0
        self._looked_s, self._used_s = now_s, used_s
        least = _least(computing_count)
        if is_first or part >= least:
            self._queued_s = None
            return is_first and self.is_waiting
        if self.is_waiting:
            return True
        queued_s, self._queued_s = self._queued_s, _queued_s(self._thread)
        return queued_s is not None and self._queued_s is not None and self._queued_s - queued_s < least * span_s


def _least(computing_count: int) -> float:
    """The part of a processor that a job which computes gets at least."""
    return min(WAITS_BELOW, FAIR_PART / computing_count)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that runs, at one moment."""

    worker: Worker
    serial: int
    owner: object | None
    """The session, if it still lives."""
    since_s: float
    is_waiting: bool
    is_lost: bool


def processor_clock(ident: int) -> int | None:
    get = getattr(time, "pthread_getcpuclockid", None)  # neither macOS nor Windows has it
    return None if get is None else get(ident)


def _queued_s(thread: int) -> float | None:
    """How long the thread has waited for a processor so far; ``None`` while it does so, 0 if that is unknown."""
    try:
        state = Path(f"/proc/self/task/{thread}/stat").read_bytes().rpartition(b") ")[2][:1]
        queued_ns = int(Path(f"/proc/self/task/{thread}/schedstat").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):  # only Linux has these files
        return 0.0
    return None if state == b"R" else queued_ns / 1e9


def set_exception(ident: int, error: type[BaseException]) -> None:
    """Raise ``error`` in the thread, as soon as it runs Python code again."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


def revoke_exception(ident: int) -> None:
    """Take back the exception that ``set_exception`` has set, unless the thread has got it.

    Python 3.11 looks for such an exception at every step of every thread until one has got one (and
    ``sys.setprofile`` then never ends). So this thread gets one.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), None)
    try:
        set_exception(threading.get_ident(), _RevokedError)
        while True:
            pass
    except _RevokedError:
        pass


class _RevokedError(BaseException):
    """Raised in the thread that takes back another exception."""


def frame_of(ident: int) -> FrameType | None:
    """The innermost frame of the thread now; it goes on meanwhile."""
    return sys._current_frames().get(ident)  # noqa: SLF001 - documented, in spite of its name
