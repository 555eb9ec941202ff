from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document, without_document_lock

import hotshoe
from hotshoe.sessions import Session

from .conftest import Attach, Open

PERIOD_MS = 10


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


class Counts:
    """How often the callbacks of an app have fired: one that pauses, and one that does not."""

    def __init__(self) -> None:
        self.paused = self.other = 0

    def pause(self) -> None:
        self.paused += 1

    def go_on(self) -> None:
        self.other += 1


async def rest(counts: Counts) -> int:
    """How often the one that pauses fires while the other fires five times."""
    before, goal = counts.paused, counts.other + 5
    await until(lambda: counts.other >= goal)
    return counts.paused - before


async def test_a_callback_rests_until_somebody_comes_and_after_all_have_gone(
    open_session: Open, attach: Attach
) -> None:
    counts = Counts()

    def build(document: Document) -> None:
        hotshoe.pause_when_unwatched(document.add_periodic_callback(counts.pause, PERIOD_MS))
        document.add_periodic_callback(counts.go_on, PERIOD_MS)

    session = await open_session(build)
    assert await rest(counts) == 0
    first, second = await attach(session), await attach(session)
    assert await rest(counts) >= 3
    first.connection.detach()
    assert await rest(counts) >= 3
    second.connection.detach()
    await rest(counts)
    assert await rest(counts) == 0
    await attach(session)
    assert await rest(counts) >= 3


async def test_whoever_comes_finds_it_due_at_once(open_session: Open, attach: Attach) -> None:
    fired: list[float] = []

    def build(document: Document) -> None:
        document.add_periodic_callback(lambda: fired.append(0.0), 300)
        hotshoe.pause_when_unwatched(document)

    session = await open_session(build)
    await until(lambda: session._callbacks._paused)
    assert not fired
    assert not session._callbacks._timers, "it would fire without being resumed"
    await attach(session)
    await until(lambda: fired)


async def test_a_document_rests_as_a_whole(open_session: Open, attach: Attach) -> None:
    counts = Counts()
    fired: list[str] = []

    def build(document: Document) -> None:
        document.add_periodic_callback(counts.pause, PERIOD_MS)
        hotshoe.pause_when_unwatched(document)
        document.add_periodic_callback(without_document_lock(counts.pause), PERIOD_MS)
        document.add_timeout_callback(lambda: fired.append("timeout"), PERIOD_MS)
        document.add_next_tick_callback(lambda: fired.append("tick"))

    session = await open_session(build)
    await until(lambda: len(fired) == 2)
    await asyncio.sleep(0.05)
    assert counts.paused == 0
    await attach(session)
    await until(lambda: counts.paused >= 4)


async def test_what_is_removed_while_it_rests_stays_away(open_session: Open, attach: Attach) -> None:
    counts = Counts()
    callbacks: list[Any] = []

    def build(document: Document) -> None:
        callbacks.append(document.add_periodic_callback(counts.pause, PERIOD_MS))
        document.add_periodic_callback(counts.go_on, PERIOD_MS)
        hotshoe.pause_when_unwatched(callbacks[0])

    session = await open_session(build)
    await rest(counts)
    await session.run(lambda: session.document.remove_periodic_callback(callbacks[0]))
    await attach(session)
    assert await rest(counts) == 0


async def test_what_can_not_rest(session_of_nobody: Document, open_session: Open) -> None:
    with pytest.raises(RuntimeError, match="a document that hotshoe serves"):
        hotshoe.pause_when_unwatched(session_of_nobody)
    session: Session = await open_session(lambda document: None)
    with pytest.raises(TypeError, match="neither a document nor a periodic callback"):
        hotshoe.pause_when_unwatched(session.document.add_timeout_callback(print, 10_000))


@pytest.fixture
def session_of_nobody() -> Document:
    return Document()
