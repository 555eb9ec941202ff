"""Counts are right from many threads, are plain data, and add up over parts and processes."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import FrozenInstanceError, fields
from multiprocessing import get_context

import msgspec
import pytest

from hotshoe.base.counters import BOUNDS_S, Counters, Counts, Refusal, Waits

THREADS, EACH = 8, 5000


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Threads take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def some_counts(times: int = 1) -> Counts:
    counters = Counters()
    for _ in range(times):
        counters.sessions_made.add()
        counters.bytes_in.add(1000)
        counters.refuse(Refusal.ORIGIN)
        counters.lane_waits.add(0.003)
    return counters.snapshot()


@pytest.mark.usefixtures("switching_often")
def test_no_count_is_lost_where_many_threads_count() -> None:
    counters = Counters()
    begin = threading.Barrier(THREADS)

    def count() -> None:
        begin.wait()
        for _ in range(EACH):
            counters.messages_in.add()
            counters.bytes_out.add(7)
            counters.refuse(Refusal.LATE)
            counters.thread_waits.add(0.25)

    threads = [threading.Thread(target=count) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts, total = counters.snapshot(), THREADS * EACH
    assert (counts.messages_in, counts.bytes_out, dict(counts.refusals)) == (total, 7 * total, {"late": total})
    assert (counts.thread_waits.count, counts.thread_waits.sum_s) == (total, total / 4)


@pytest.mark.usefixtures("switching_often")
def test_a_snapshot_is_of_one_moment() -> None:
    counters, ended = Counters(), threading.Event()

    def open_and_close() -> None:
        while not ended.is_set():
            counters.connections_opened.add()
            counters.connections_closed.add()

    thread = threading.Thread(target=open_and_close)
    thread.start()
    seen = {counters.snapshot().connections_open for _ in range(2000)}
    ended.set()
    thread.join()
    assert seen <= {0, 1}


def test_a_snapshot_does_not_change() -> None:
    counters = Counters()
    counters.lane_waits.add(1.0)
    before = counters.snapshot()
    counters.lane_waits.add(1.0)
    counters.refuse(Refusal.HEAD)
    assert before.lane_waits.count == 1
    assert before.refusals == ()
    with pytest.raises(FrozenInstanceError):
        before.messages_in = 1  # type: ignore[misc]
    assert hash(before) != hash(counters.snapshot())


def test_waits_are_counted_in_classes() -> None:
    counters = Counters()
    for wait_s in (0.0, BOUNDS_S[0], 0.002, BOUNDS_S[-1], 60.0):
        counters.lane_waits.add(wait_s)
    counts = counters.snapshot().lane_waits.counts
    assert len(counts) == len(BOUNDS_S) + 1
    assert (counts[0], counts[BOUNDS_S.index(0.0025)], counts[-2], counts[-1]) == (2, 1, 1, 1)


def test_each_counter_stands_in_the_snapshot() -> None:
    assert Counters().snapshot() == Counts()
    counters = Counters()
    for number, field in enumerate(fields(Counts), 1):
        if field.name == "refusals":
            counters.refuse(Refusal.LOGIN)
        else:
            getattr(counters, field.name).add(number)
    counts = counters.snapshot()
    for number, field in enumerate(fields(Counts), 1):
        value = getattr(counts, field.name)
        match value:
            case int():
                assert value == number
            case Waits():
                assert value.sum_s == number
            case _:
                assert value == (("login", 1),)


@pytest.mark.parametrize("count", [
    lambda counters: counters.messages_in.add(), lambda counters: counters.bytes_out.add(1000),
    lambda counters: counters.refuse(Refusal.ORIGIN), lambda counters: counters.lane_waits.add(0.003),
], ids=["a message", "bytes", "a refusal", "a wait"])
def test_a_count_takes_less_than_a_microsecond(count: Callable[[Counters], None]) -> None:
    """The best of many short rounds, so that it does not depend on how busy the machine is."""
    counters = Counters()
    best_s = 1.0
    for _ in range(500):
        began_s = time.perf_counter()
        for _ in range(50):
            count(counters)
        best_s = min(best_s, (time.perf_counter() - began_s) / 50)
    assert best_s < 1e-6


def test_counts_add_up() -> None:
    other = Counters()
    other.refuse(Refusal.ORIGIN)
    other.refuse(Refusal.TOKEN)
    other.sessions_ended.add()
    both = some_counts(2) + other.snapshot()
    assert both.refusals == (("origin", 3), ("token", 1))
    assert (both.sessions_made, both.sessions_ended, both.sessions_alive) == (2, 1, 1)
    assert both.bytes_in == 2000
    assert both.lane_waits.count == 2
    assert both.lane_waits.sum_s == pytest.approx(0.006)
    assert both + Counts() == both
    assert sum([some_counts()] * 3, Counts()) == some_counts(3)


def test_counts_of_other_processes_add_up() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert sum(processes.map(some_counts, [1, 2, 3]), Counts()).sessions_made == 6


def test_counts_survive_the_ways_between_processes() -> None:
    counts = some_counts()
    assert pickle.loads(pickle.dumps(counts)) == counts
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(counts), type=Counts) == counts
    assert msgspec.json.decode(msgspec.json.encode(counts), type=Counts) == counts
