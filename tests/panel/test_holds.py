"""Panel's ``hold`` in several threads of one session, of which only one has the lock; without a browser."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from tests.support.hosts import serve_session
from tests.support.waiting import until

from hotshoe.config import Settings
from hotshoe.sessions import Session

pytest.importorskip("panel")

PATIENCE_S = 20


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    def build(document: Document) -> None:
        import panel as pn

        pn.Row(pn.pane.Bokeh(Div(name="text", text="0"))).servable()  # type: ignore[no-untyped-call]

    async with serve_session(build, Settings()) as made:
        yield made


@pytest.mark.parametrize("last", ["the one with the lock", "the one without"])
async def test_whoever_ends_it_last_leaves_no_hold(session: Session, last: str) -> None:
    from panel.io import hold

    document: Any = session.document
    without_began, with_began, without_ended, with_ended = (threading.Event() for _ in range(4))
    locked_is_last = last == "the one with the lock"

    def without_lock() -> None:
        with hold(document):
            without_began.set()
            assert with_began.wait(PATIENCE_S)
            if not locked_is_last:
                assert with_ended.wait(PATIENCE_S)
        without_ended.set()

    def with_lock() -> None:
        assert without_began.wait(PATIENCE_S)
        with hold(document):
            document.get_model_by_name("text").text = "1"
            with_began.set()
            if locked_is_last:
                assert without_ended.wait(PATIENCE_S)
        with_ended.set()

    thread = threading.Thread(target=without_lock)
    thread.start()
    await session.run(with_lock)
    thread.join(PATIENCE_S)
    await until(lambda: document.callbacks.hold_value is None)
    assert document.callbacks._held_events == []


async def test_a_hold_of_the_app_outlives_panels(session: Session) -> None:
    from panel.io import hold

    document: Any = session.document

    def held_twice() -> None:
        with hold(document):
            document.get_model_by_name("text").text = "2"

    await session.run(partial(document.hold, "collect"))
    await session.run(held_twice)
    assert document.callbacks.hold_value == "collect"
    assert [event.new for event in document.callbacks._held_events] == ["2"]
    await session.run(document.unhold)
    assert document.callbacks._held_events == []
