"""Waiting for what other threads, processes and tasks do, and no longer than a test may take."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0, story: Callable[[], object] = str) -> None:
    """Wait until the condition holds. If it never does, the test fails with what ``story`` tells then."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {timeout_s} s {story()}"
        time.sleep(0.01)


async def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until the condition holds, while the loop runs."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def collect() -> None:
    """Ends what only the collector can end."""
    for _ in range(3):
        gc.collect()
