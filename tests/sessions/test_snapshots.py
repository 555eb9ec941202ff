"""A snapshot is shared by those who pull soon after each other, and is memory for nobody once they have."""

from __future__ import annotations

import asyncio
import weakref

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div

from hotshoe.sessions import snapshots as snapshots_module
from hotshoe.sessions.snapshots import Snapshots


def document_with(text: str) -> Document:
    document = Document()
    document.add_root(Div(text=text))
    return document


async def test_who_pulls_soon_gets_the_same() -> None:
    snapshots = Snapshots(document_with("here"), asyncio.get_running_loop())
    assert snapshots.take() is snapshots.take()


async def test_it_is_dropped_when_nobody_has_pulled_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots_module, "KEEP_S", 0.02)
    snapshots = Snapshots(document_with("here"), asyncio.get_running_loop())
    first = snapshots.take()
    kept = snapshots._kept
    assert kept is not None
    async with asyncio.timeout(10):
        while kept.snapshot is not None:
            await asyncio.sleep(0.01)
    again = snapshots.take()
    assert again is not first
    assert [bytes(part) for part in again.body] == [bytes(part) for part in first.body]


async def test_its_timer_keeps_no_document_and_no_snapshot() -> None:
    document = document_with("here")
    snapshots = Snapshots(document, asyncio.get_running_loop())
    snapshots.take()
    kept, gone = snapshots._kept, weakref.ref(snapshots)
    await asyncio.sleep(0.01)  # its timer runs
    snapshots.forget()
    assert kept is not None
    assert kept.snapshot is None
    del snapshots
    assert gone() is None
