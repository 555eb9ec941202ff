"""One start, whoever asks first; one stop; nobody is let in after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.fake_host import ToldHost

from hotshoe.base.tasks import Deadline
from hotshoe.web.lifespan import Lifecycle


async def nothing(deadline: Deadline) -> None:
    """There is nothing open to close."""


async def test_all_who_ask_wait_for_the_same_start() -> None:
    host = ToldHost()
    lifecycle = Lifecycle(host)
    assert await asyncio.gather(*(lifecycle.ensure_started() for _ in range(5))) == [True] * 5
    assert host.started == 1


async def test_one_who_leaves_does_not_end_the_start() -> None:
    host = ToldHost()
    lifecycle = Lifecycle(host)
    impatient = asyncio.create_task(lifecycle.ensure_started())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await lifecycle.ensure_started()
    assert host.started == 1


async def test_a_start_that_failed_is_tried_again() -> None:
    host = ToldHost()
    lifecycle = Lifecycle(host)
    host.failures["start"] = RuntimeError("not yet")
    with pytest.raises(RuntimeError, match="not yet"):
        await lifecycle.ensure_started()
    del host.failures["start"]
    assert await lifecycle.ensure_started()


async def test_who_is_never_told_of_the_end_stops_with_the_loop() -> None:
    host = ToldHost()

    async def end() -> None:
        await lifecycle.stop(nothing, Deadline())

    lifecycle = Lifecycle(host, stop=end)
    before = asyncio.all_tasks()
    assert await lifecycle.ensure_started()
    (watch,) = asyncio.all_tasks() - before
    await asyncio.sleep(0)  # it begins
    watch.cancel()  # as asyncio.run does with all that is left
    await asyncio.wait([watch])
    assert watch.cancelled()
    assert (host.started, host.stopped) == (1, 1)


async def test_who_is_told_of_the_end_leaves_nothing_behind() -> None:
    host = ToldHost()

    async def end() -> None:
        await lifecycle.stop(nothing, Deadline())

    lifecycle = Lifecycle(host, stop=end)
    before = asyncio.all_tasks()
    await lifecycle.ensure_started()
    await end()
    while asyncio.all_tasks() - before:
        await asyncio.sleep(0)
    assert host.stopped == 1


async def test_nobody_is_let_in_while_it_stops() -> None:
    host = ToldHost()
    lifecycle = Lifecycle(host)
    await lifecycle.start()
    seen: list[bool] = []

    async def close(deadline: Deadline) -> None:
        seen.append(await lifecycle.ensure_started())
        raise ValueError("closing failed")

    with pytest.raises(ValueError, match="closing failed"):
        await lifecycle.stop(close, Deadline())
    assert seen == [False]
    assert host.stopped == 1
    await lifecycle.stop(nothing, Deadline())
    assert host.stopped == 1


async def test_stopping_what_never_started() -> None:
    host = ToldHost()
    lifecycle = Lifecycle(host)
    await lifecycle.stop(nothing, Deadline())
    assert (host.started, host.stopped) == (0, 0)
    assert not await lifecycle.ensure_started()


async def test_it_can_be_started_again() -> None:
    host = ToldHost()
    lifecycle = Lifecycle(host)
    await lifecycle.start()
    await lifecycle.stop(nothing, Deadline())
    await lifecycle.start()
    assert lifecycle.running
    assert host.started == 2


class _Part:
    def __init__(self, name: str, told: list[str], fails: bool = False) -> None:
        self.name = name
        self.told = told
        self.fails = fails

    async def start(self) -> None:
        self.told.append(f"start {self.name}")
        if self.fails:
            raise OSError(self.name)

    async def stop(self, grace_s: float = 0.0) -> None:
        self.told.append(f"stop {self.name}")


async def test_what_the_host_needs_lives_longer() -> None:
    told: list[str] = []
    host: Any = _Part("host", told)
    lifecycle = Lifecycle(host, [_Part("first", told)])
    await lifecycle.start()
    await lifecycle.stop(nothing, Deadline())
    assert told == ["start first", "start host", "stop host", "stop first"]


async def test_all_of_the_end_is_within_one_deadline(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    left_s: list[float] = []

    class Hanging(_Part):
        async def stop(self, grace_s: float = 0.0) -> None:
            await asyncio.Event().wait()

    class Host(_Part):
        async def stop(self, grace_s: float = 0.0) -> None:
            left_s.append(grace_s)

    async def close(deadline: Deadline) -> None:
        left_s.append(deadline.left_s)

    host: Any = Host("host", told)
    lifecycle = Lifecycle(host, [_Part("first", told), Hanging("second", told)])
    await lifecycle.start()
    deadline = Deadline(0.5)
    async with asyncio.timeout(10):
        await lifecycle.stop(close, deadline)
    assert told[-1] == "stop first"
    assert 0 < sum(left_s) < 0.6
    assert "Hanging, which has not ended" in caplog.text


async def test_what_has_started_before_a_failure_stops() -> None:
    told: list[str] = []
    host: Any = _Part("host", told, fails=True)
    with pytest.raises(OSError, match="host"):
        await Lifecycle(host, [_Part("first", told)]).start()
    assert told == ["start first", "start host", "stop first"]
