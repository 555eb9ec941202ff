"""Panel's periodic callbacks of a session whose page has not come yet; without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import DocumentReady
from bokeh.server.callbacks import NextTickCallback
from tests.support.hosts import serve_session

from hotshoe.config import Settings

pytest.importorskip("panel")


def fill(callbacks: dict[str, Any], act: Callable[[], None], document: Document) -> None:
    import panel as pn

    for name in ("kept", "stopped", "again"):
        callbacks[name] = pn.state.add_periodic_callback(partial(callbacks["ran"].append, name), 1, count=3)
    callbacks["stopped"].stop()
    callbacks["again"].stop()
    callbacks["again"].start()
    document.on_event("document_ready", lambda event: act())
    pn.Row().servable()


async def test_they_begin_with_the_page_and_until_then_nothing_runs() -> None:
    callbacks: dict[str, Any] = {"ran": []}
    ready = asyncio.Event()
    async with serve_session(partial(fill, callbacks, ready.set), Settings(threads=0)) as session:
        document = session.document
        for _ in range(20):
            await asyncio.sleep(0)
            assert not any(isinstance(each, NextTickCallback) for each in document.session_callbacks)
        document.add_next_tick_callback(lambda: document.callbacks.trigger_event(DocumentReady()))
        async with asyncio.timeout(10):
            await ready.wait()
            while any(callbacks[name].running for name in ("kept", "again")):
                await asyncio.sleep(0.002)
    assert sorted(callbacks["ran"]) == ["again"] * 3 + ["kept"] * 3
