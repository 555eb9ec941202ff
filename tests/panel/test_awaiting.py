"""Functions for Panel that return coroutines, whether they are ``async`` themselves or not; without a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import DocumentReady
from tests.support.hosts import serve_session

from hotshoe.config import Settings

pytest.importorskip("panel")


def fill(seen: list[tuple[str, object, object]], document: Document) -> None:
    """Give a coroutine function to everything of Panel's that takes a callback."""
    import panel as pn

    async def run(place: str, *arguments: object) -> None:
        await asyncio.sleep(0)
        seen.append((place, threading.get_ident(), pn.state.curdoc))

    def both(add: Callable[[Any], object], place: str) -> None:
        add(partial(run, place))
        add(lambda *arguments: run(f"{place} by a lambda"))

    widgets: Any = pn.widgets
    button, number = widgets.Button(), widgets.IntInput(value=0)
    both(button.on_click, "click")
    both(partial(number.param.watch, parameter_names="value"), "watch")
    pn.state.onload(partial(run, "onload"))
    both(lambda callback: pn.state.add_periodic_callback(callback, 1, count=1), "periodic")
    both(pn.state.on_session_destroyed, "destroyed")

    def act() -> None:
        button.clicks += 1
        number.value += 1
        document.callbacks.trigger_event(DocumentReady())

    document.add_next_tick_callback(act)
    pn.Column(button, number).servable()


@pytest.mark.filterwarnings("ignore:Widget.name")
async def test_they_are_awaited(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, object, object]] = []
    async with serve_session(partial(fill, seen), Settings()) as session:
        document = session.document
        async with asyncio.timeout(10):
            while len(seen) < 7:
                await asyncio.sleep(0.002)
    places = {f"{place}{how}" for place in ("click", "watch", "periodic", "destroyed") for how in ("", " by a lambda")}
    assert {place for place, _, _ in seen} == places | {"onload"}
    assert {(ident, each) for _, ident, each in seen} == {(threading.get_ident(), document)}
    assert "never awaited" not in caplog.text
