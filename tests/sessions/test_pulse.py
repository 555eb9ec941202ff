"""The pulse goes on, whatever one beat does, and keeps nothing alive between two beats."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from tests.support.session_client import NOBODY

from hotshoe.sessions import Pulse
from hotshoe.sessions import pulse as pulse_module
from hotshoe.sessions.lane import Section


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_module, "BEAT_S", 0.001)


class Heart:
    """Is told of beats, and counts them."""

    def __init__(self) -> None:
        self.beats = 0
        self.beaten = asyncio.Event()

    def beat(self, section: Section) -> None:
        self.beats += 1
        self.beaten.set()


async def test_a_beat_that_fails_ends_only_itself(pulse: Pulse, caplog: pytest.LogCaptureFixture) -> None:
    failures = 0

    def fail(section: Section) -> None:
        nonlocal failures
        failures += 1
        raise ValueError("on purpose")

    heart = Heart()
    pulse.watch(Section(NOBODY), fail)
    pulse.watch(Section(NOBODY), heart.beat)
    async with asyncio.timeout(10):
        while heart.beats < 3:
            heart.beaten.clear()
            await heart.beaten.wait()
    assert failures == 1
    assert len(caplog.records) == 1


async def test_nothing_of_a_section_that_has_ended_is_kept(pulse: Pulse) -> None:
    heart, section = Heart(), Section(NOBODY)
    pulse.watch(section, heart.beat)
    await asyncio.wait_for(heart.beaten.wait(), 10)
    pulse.forget(section)
    dead = weakref.ref(heart)
    gc.disable()
    try:
        del heart
        assert dead() is None
    finally:
        gc.enable()
