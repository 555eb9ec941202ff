import asyncio
import sys
import threading
import time

from hotshoe.server.loops import SWITCH_INTERVAL_S, close_loop, is_current, new_loop, short_switch_interval


def test_closing_cancels_and_does_not_wait_for_threads() -> None:
    loop, release, ends = new_loop(), threading.Event(), []

    async def work() -> None:
        try:
            await asyncio.to_thread(release.wait, 20)
        finally:
            ends.append("cancelled")

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        return task

    task = loop.run_until_complete(begin())
    started = time.monotonic()
    close_loop(loop)
    release.set()
    assert time.monotonic() - started < 10
    assert loop.is_closed()
    assert task.cancelled()
    assert ends == ["cancelled"]


async def test_is_current() -> None:
    loop = asyncio.get_running_loop()
    assert is_current(loop)
    assert not await asyncio.to_thread(is_current, loop)


def test_the_switch_interval_comes_back() -> None:
    before = sys.getswitchinterval()
    with short_switch_interval(True):
        assert abs(sys.getswitchinterval() - SWITCH_INTERVAL_S) < 1e-6
    with short_switch_interval(False):
        assert sys.getswitchinterval() == before
    assert sys.getswitchinterval() == before
