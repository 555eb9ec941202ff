"""What is logged now and then of what the process holds."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable

import pytest

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings
from hotshoe.hosts.host import Statistics
from hotshoe.hosts.usage import Usage

PATIENCE_S = 30.0


def statistics() -> Statistics:
    return Statistics({"/a": 3, "/b": 0}, 2, 1, {"/a": 1, "/b": 0})


async def lines(caplog: pytest.LogCaptureFixture, usage: Usage, enough: Callable[[list[str]], bool]) -> list[str]:
    """What is logged until it is enough."""
    running = asyncio.create_task(usage.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(caplog.messages):
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    return list(caplog.messages)


async def test_statistics_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hotshoe")
    usage = Usage(Settings(stats_log_frequency_milliseconds=1), statistics)
    found = await lines(caplog, usage, lambda messages: len(messages) >= 6)
    pid = f"[pid {os.getpid()}]"
    assert found[:3] == [f"{pid} 2 clients connected", f"{pid}   /a has 3 sessions with 1 unused",
                         f"{pid}   /b has 0 sessions with 0 unused"]
    assert found[3:6] == found[:3]
    assert not any("Memory" in line for line in found)


async def test_memory_at_info_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hotshoe")
    usage = Usage(Settings(mem_log_frequency_milliseconds=1, stats_log_frequency_milliseconds=1), statistics)
    found = await lines(caplog, usage, lambda messages: len(messages) >= 2)
    number = r"\d+\.\d\d MB"
    line = rf"\[pid {os.getpid()}\] Memory usage: {number} \(RSS\), {number} \(VMS\)"
    assert all(re.fullmatch(line, each) for each in found)


async def test_what_is_not_collected_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hotshoe")
    usage = Usage(Settings(mem_log_frequency_milliseconds=1), statistics)
    found = await lines(caplog, usage, lambda messages: any("Models" in line for line in messages))
    assert [re.sub(r"\d+$", "N", line) for line in found[1:4]] == [
        "  uncollected Documents: N", "  uncollected Sessions: N", "  uncollected Models: N"]


async def test_what_fails_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hotshoe")
    asked: list[int] = []

    def failing() -> Statistics:
        asked.append(1)
        raise RuntimeError("not now")

    usage = Usage(Settings(stats_log_frequency_milliseconds=1), failing)
    await lines(caplog, usage, lambda messages: len(asked) > 1)


def test_without_psutil_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotshoe.base.extras.find_spec", lambda name: None)
    Usage(Settings(), statistics)
    with pytest.raises(ConfigError, match=r"--mem-log-frequency needs psutil: pip install 'hotshoe\[mem"):
        Usage(Settings(mem_log_frequency_milliseconds=1000), statistics)
