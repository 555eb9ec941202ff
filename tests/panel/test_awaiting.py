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
from tests.support.hosts import open_session

from hotshoe.config import Settings
from hotshoe.hosts.inline import InlineHost

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
    host = InlineHost({"app": partial(fill, seen)}, Settings())
    await host.start()
    try:
        await open_session(host, "/app", "one")
        session = host._registries["/app"].get("one")
        assert session is not None
        document = session.document
        async with asyncio.timeout(10):
            while len(seen) < 7:
                await asyncio.sleep(0.002)
        await host.close("/app", "one")
    finally:
        await host.stop()
    places = {f"{place}{how}" for place in ("click", "watch", "periodic", "destroyed") for how in ("", " by a lambda")}
    assert {place for place, _, _ in seen} == places | {"onload"}
    assert {(ident, each) for _, ident, each in seen} == {(threading.get_ident(), document)}
    assert "never awaited" not in caplog.text
