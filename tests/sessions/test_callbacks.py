from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, cast

import pytest
from bokeh.document import Document, without_document_lock

from hotshoe.sessions import Session

from .conftest import Open


async def until(condition: Any) -> None:
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


async def test_callbacks_added_while_the_app_builds_run_after_it(open_session: Open) -> None:
    order: list[str] = []

    def build(document: Document) -> None:
        document.add_next_tick_callback(lambda: order.append("tick"))
        time.sleep(0.02)
        order.append("built")

    await open_session(build)
    await until(lambda: len(order) == 2)
    assert order == ["built", "tick"]
