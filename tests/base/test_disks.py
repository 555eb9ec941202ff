"""Threads apart for each folder: a disk that hangs delays only its own files, and everything is bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from tests.support.waiting import until

from hotshoe.base.disks import THREADS, Disks
from hotshoe.base.errors import RequestError


class Disk:
    """A disk that hangs until it is released; ``count`` is how many have asked it."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.count = 0

    def read(self) -> str:
        self.count += 1
        assert self.back.wait(60)
        return "read"


@pytest.fixture
def hanging() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.back.set()


async def test_one_that_hangs_delays_only_its_own_files(hanging: Disk) -> None:
    disks = Disks("test")
    asking = [asyncio.create_task(disks.run("slow", hanging.read)) for _ in range(100)]
    await until(lambda: hanging.count == THREADS)
    async with asyncio.timeout(60):
        for number in range(20):
            assert await disks.run(f"fast {number}", lambda: "at once") == "at once"
    assert hanging.count == THREADS, "no more threads than those of its folder"
    hanging.back.set()
    assert set(await asyncio.gather(*asking)) == {"read"}
    disks.close()


async def test_no_more_wait_than_may(hanging: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disks = Disks("test", threads=1, waiting_most=3)
    asking = [asyncio.create_task(disks.run("slow", hanging.read))]
    await until(lambda: hanging.count == 1)
    asking += [asyncio.create_task(disks.run("slow", hanging.read)) for _ in range(3)]
    await until(lambda: disks._pools["slow"].waiting_count == 3)
    for _ in range(5):
        with pytest.raises(RequestError) as caught:
            await disks.run("slow", hanging.read)
        assert caught.value.status == 503
    assert caplog.text.count("slow: 3 calls wait for the disk already") == 1
    hanging.back.set()
    await asyncio.gather(*asking)
    assert hanging.count == 4
    disks.close()


async def test_no_wait_is_longer_than_the_limit(hanging: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disks = Disks("test", threads=1, limit_s=0.05)
    for _ in range(3):
        with pytest.raises(RequestError) as caught:
            await disks.run("slow", hanging.read)
        assert caught.value.status == 503
    assert caplog.text.count("slow: the disk did not respond within 0.05 s") == 1
    hanging.back.set()
    disks = Disks("test", threads=1)
    assert await disks.run("slow", hanging.read) == "read"
    assert hanging.count == 2, "what nobody waits for any more never runs"
    disks.close()


async def test_a_timeout_of_the_function_s_own_is_not_the_limit() -> None:
    disks = Disks("test")

    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await disks.run("a", fail)
    disks.close()


async def test_folders_that_are_not_used_any_more_are_forgotten() -> None:
    disks = Disks("test")
    for number in range(50):
        await disks.run(number, str)
        for pool in disks._pools.values():
            pool.close()
        await until(lambda: not any(pool.count for pool in disks._pools.values()))
    assert len(disks._pools) == 1
    disks.close()


async def test_after_the_end_nothing_runs() -> None:
    disks = Disks("test")
    disks.close()
    with pytest.raises(RequestError) as caught:
        await disks.run("a", str)
    assert caught.value.status == 503
    closed: list[str] = []
    disks.start("a", lambda: closed.append("a"))
    assert closed == ["a"], "what must run does"
