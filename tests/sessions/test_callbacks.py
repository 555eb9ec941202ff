from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from bokeh.document import Document, without_document_lock
from tests.support.session_client import Attach, Open

import hotshoe
from hotshoe.base.errors import UnlockedChangeError
from hotshoe.sessions import Session

PERIOD_MS = 10


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def session(open_session: Open) -> Session:
    return await open_session(lambda document: None)


async def test_a_periodic_callback_fires_until_it_is_removed(session: Session) -> None:
    fired: list[float] = []
    began = time.monotonic()
    callback = session.document.add_periodic_callback(lambda: fired.append(time.monotonic()), 10)
    await until(lambda: len(fired) >= 4)
    await session.run(lambda: session.document.remove_periodic_callback(callback))
    count = len(fired)
    await asyncio.sleep(0.05)
    assert len(fired) == count
    assert fired[3] - began >= 0.035


async def test_a_slow_periodic_callback_does_not_pile_up(session: Session) -> None:
    running = most = count = 0

    async def slow() -> None:
        nonlocal running, most, count
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        count += 1

    began = time.monotonic()
    cast(Any, session.document).add_periodic_callback(slow, 1)
    await until(lambda: count >= 8)
    assert most == 1
    assert count <= (time.monotonic() - began) / 0.02 + 1


async def test_a_timeout_fires_once_and_can_be_taken_back(session: Session) -> None:
    fired: list[str] = []
    session.document.add_timeout_callback(lambda: fired.append("kept"), 10)
    removed = session.document.add_timeout_callback(lambda: fired.append("removed"), 10)
    session.document.remove_timeout_callback(removed)
    await until(lambda: fired)
    await asyncio.sleep(0.03)
    assert fired == ["kept"]
    assert session.document.session_callbacks == []


async def test_next_tick_works_from_any_thread_in_order(session: Session) -> None:
    fired: list[int] = []

    def add(index: int) -> None:
        session.document.add_next_tick_callback(lambda: fired.append(index))

    def many() -> None:
        for index in range(50):
            add(index)

    thread = threading.Thread(target=many)
    thread.start()
    await until(lambda: len(fired) == 50)
    thread.join()
    assert fired == list(range(50))


async def test_a_removed_next_tick_callback_does_not_run(session: Session) -> None:
    fired: list[str] = []

    def add_and_remove() -> None:
        callback = session.document.add_next_tick_callback(lambda: fired.append("never"))
        session.document.remove_next_tick_callback(callback)
        session.document.add_next_tick_callback(lambda: fired.append("yes"))

    await session.run(add_and_remove)
    await until(lambda: fired)
    assert fired == ["yes"]


async def test_a_failing_periodic_callback_keeps_firing(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    count = 0

    def fails() -> None:
        nonlocal count
        count += 1
        raise ValueError("again")

    session.document.add_periodic_callback(fails, 5)
    await until(lambda: count >= 3)
    assert caplog.text.count("ValueError: again") >= 2


async def test_an_unlocked_coroutine_may_schedule_locked_work(session: Session) -> None:
    from bokeh.io import curdoc

    seen: list[str] = []

    @without_document_lock
    async def unlocked() -> None:
        await asyncio.sleep(0.005)
        seen.append(type(curdoc()).__name__)
        curdoc().add_next_tick_callback(lambda: seen.append("locked"))

    cast(Any, session.document).add_next_tick_callback(unlocked)
    await until(lambda: len(seen) == 2)
    assert seen == ["UnlockedDocumentProxy", "locked"]


async def test_an_unlocked_callback_cannot_set_what_the_document_is_made_of(session: Session) -> None:
    from bokeh.io import curdoc

    errors: list[str] = []

    @without_document_lock
    def unlocked() -> None:
        document: Any = curdoc()
        for name in ("title", "theme"):
            try:
                setattr(document, name, "new")
            except UnlockedChangeError as error:
                errors.append(str(error))
            else:
                errors.append(f"{name} was set")

    title = session.document.title
    cast(Any, session.document).add_next_tick_callback(unlocked)
    await until(lambda: len(errors) == 2)
    assert all("add_next_tick_callback" in error for error in errors), errors
    assert session.document.title == title


async def test_callbacks_added_while_the_app_builds_run_after_it(open_session: Open) -> None:
    order: list[str] = []

    def build(document: Document) -> None:
        document.add_next_tick_callback(lambda: order.append("tick"))
        time.sleep(0.02)
        order.append("built")

    await open_session(build)
    await until(lambda: len(order) == 2)
    assert order == ["built", "tick"]


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
    await until(lambda: session.callbacks._paused)
    assert not fired
    assert not session.callbacks._timers, "it would fire without being resumed"
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
