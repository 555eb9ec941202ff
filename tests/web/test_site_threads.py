"""Threads of a site: how many there are, and that nothing waits for those that never return."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, Future

import pytest

from hotshoe.web.site_threads import SiteThreads

NEVER_RETURNS = """
import threading
from hotshoe.web.site_threads import SiteThreads
begun = threading.Event()
SiteThreads(2).submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
"""


def fail() -> None:
    raise SystemExit("no end of the thread")


def test_results_and_errors() -> None:
    threads = SiteThreads(1)
    failed = threads.submit(fail)
    assert threads.submit(divmod, 7, 2).result(30) == (3, 1)
    with pytest.raises(SystemExit):
        failed.result(30)
    assert threads.count == 1


def test_as_many_as_there_is_work_for_and_no_more() -> None:
    threads, go = SiteThreads(3), threading.Event()
    begun = threading.Semaphore(0)

    def wait() -> int:
        begun.release()
        go.wait()
        return 1

    waiting: list[Future[int]] = [threads.submit(wait) for _ in range(5)]
    assert all(begun.acquire(timeout=30) for _ in range(3))
    assert threads.count == 3
    assert waiting[4].cancel()
    go.set()
    assert sum(future.result(30) for future in waiting[:4]) == 4
    with pytest.raises(CancelledError):
        waiting[4].result(30)
    assert threads.count == 3


def test_an_idle_thread_works_again_and_ends_at_last() -> None:
    threads = SiteThreads(100, idle_s=0.5)
    first, end = threads.submit(threading.current_thread).result(30), time.monotonic() + 30
    while threads.submit(threading.current_thread).result(30) is not first:
        assert time.monotonic() < end
    while threads.count and time.monotonic() < end:
        time.sleep(0.02)
    assert threads.count == 0
    assert threads.submit(int, "3").result(30) == 3


def test_a_process_ends_without_a_view_that_never_returns() -> None:
    subprocess.run([sys.executable, "-c", NEVER_RETURNS], check=True, timeout=60)
