"""What a count of ``hotshoe.base.counters`` costs: on one thread, and on four that count at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hotshoe.base.counters import Counters, Refusal

TIMES = 200_000
ROUNDS = 5
THREADS = 4
MOST_US = 1.0


def table() -> str:
    """µs for each kind of count, the best of a few rounds, as Markdown."""
    lines = [f"| count | one thread | {THREADS} threads at once | target |", "| --- | --- | --- | --- |"]
    for name, count in _counts(Counters()).items():
        alone, together = _alone_us(count), _together_us(count)
        lines.append(f"| {name} | {alone:.2f} µs | {together:.2f} µs | under {MOST_US:g} µs |")
    return "\n".join(lines)


def _counts(counters: Counters) -> dict[str, Callable[[], None]]:
    return {
        "a message": counters.messages_in.add,
        "bytes": lambda: counters.bytes_in.add(1000),
        "a refusal": lambda: counters.refuse(Refusal.ORIGIN),
        "a wait": lambda: counters.lane_waits.add(0.003),
    }


def _alone_us(count: Callable[[], None]) -> float:
    return min(_run_s(count) for _ in range(ROUNDS)) / TIMES * 1e6


def _together_us(count: Callable[[], None]) -> float:
    """The wall time of all counts, divided by their number: Python runs one thread at a time."""
    return min(_run_together_s(count) for _ in range(ROUNDS)) / TIMES / THREADS * 1e6


def _run_s(count: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    for _ in range(TIMES):
        count()
    return time.perf_counter() - start_s


def _run_together_s(count: Callable[[], None]) -> float:
    threads = [threading.Thread(target=_run_s, args=(count,)) for _ in range(THREADS)]
    start_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start_s
