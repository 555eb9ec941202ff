"""A session by stock's names, as apps and Panel see it."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest
from bokeh.document import Document, without_document_lock
from bokeh.document.events import ColumnDataChangedEvent, ColumnsStreamedEvent, ModelChangedEvent
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div
from tests.support.session_client import Attach, Open

from hotshoe.base.tasks import Deadline
from hotshoe.seams.panel import StockSession
from hotshoe.sessions import Registry, Session


def add_div(document: Document) -> None:
    document.add_root(Div(text="old", name="div"))


def stock_of(session: Session) -> StockSession:
    stock = session.context.session
    assert isinstance(stock, StockSession)
    return stock


async def test_it_is_one_object_that_mirrors_the_session(open_session: Open, attach: Attach) -> None:
    session = await open_session(add_div)
    stock = stock_of(session)
    assert session.context.session is stock
    assert (stock.id, stock.document, stock.destroyed) == (session.id, session.document, False)
    assert stock.connection_count == 0
    await attach(session)
    assert stock.connection_count == 1
    assert session.context.server_context.sessions == [stock]


async def test_it_knows_who_has_the_lock(open_session: Open) -> None:
    session = await open_session(add_div)
    stock = stock_of(session)

    def state() -> tuple[bool, bool]:
        return stock._lock.locked(), stock._pending_writes is not None

    async def later() -> tuple[bool, bool]:
        await asyncio.sleep(0)
        return state()

    assert state() == (False, False)
    assert await session.run(state) == (True, True)
    assert await stock.with_document_locked(later) == (True, True)


async def test_events_written_inside_a_section_are_told_in_order(open_session: Open, attach: Attach) -> None:
    session = await open_session(add_div)
    client = await attach(session)
    div = session.document.roots[0]
    assert isinstance(div, Div)
    (connection,) = stock_of(session)._subscribed_connections

    def work() -> None:
        div.text = "first"
        connection.write([ModelChangedEvent(session.document, div, "text", "second")])
        div.text = "third"

    await session.run(work)
    _, _, content, _ = await client.next()
    assert [event["new"] for event in content["events"]] == ["first", "second", "third"]


async def test_events_written_from_elsewhere_get_a_section_of_their_own(open_session: Open, attach: Attach) -> None:
    session = await open_session(add_div)
    client = await attach(session)
    (connection,) = stock_of(session)._subscribed_connections
    event = ModelChangedEvent(session.document, session.document.roots[0], "text", "new")
    await asyncio.to_thread(connection.write, [event])
    _, _, content, _ = await client.next()
    assert [told["new"] for told in content["events"]] == ["new"]


async def test_a_stream_after_its_data_is_not_told_twice(open_session: Open, attach: Attach) -> None:
    source = ColumnDataSource({"x": [10, 20]})
    session = await open_session(lambda document: document.add_root(Div(name="div", tags=[source])))
    client = await attach(session)
    await client.pull()
    (connection,) = stock_of(session)._subscribed_connections

    def work() -> None:
        session.document.hold("collect")
        source.data = {"x": [10, 20]}
        source.stream({"x": [30]})
        events, session.document.callbacks._held_events = list(session.document.callbacks._held_events), []
        assert [type(event) for event in events] in (
            [ModelChangedEvent, ColumnsStreamedEvent],
            [ColumnDataChangedEvent, ColumnsStreamedEvent],
        )
        connection.write(events)
        session.document.unhold()

    await session.run(work)
    _, _, content, _ = await client.next()
    (event,) = content["events"]
    data = event.get("new", event.get("data"))
    assert dict(data["entries"])["x"] == [10, 20, 30]


async def test_the_loop_of_the_app_is_tornados(open_session: Open) -> None:
    session = await open_session(add_div)
    io_loop: Any = session.context.server_context.application_context.io_loop
    assert io_loop.asyncio_loop is asyncio.get_running_loop()
    called = asyncio.Event()
    await asyncio.to_thread(io_loop.add_callback, called.set)
    await asyncio.wait_for(called.wait(), 10)


async def test_expiration_is_blocked_and_unblocked(open_session: Open, registries: list[Registry]) -> None:
    session = await open_session(add_div)
    stock = stock_of(session)
    stock.block_expiration()
    assert stock.expiration_blocked
    await registries[0].expire(0.0)
    await asyncio.sleep(0.05)
    assert not stock.destroyed
    stock.unblock_expiration()
    with pytest.raises(RuntimeError, match="mismatched"):
        stock.unblock_expiration()
    await registries[0].expire(0.0)
    async with asyncio.timeout(5):
        while not stock.destroyed:
            await asyncio.sleep(0.01)


async def test_expiration_that_is_requested_waits_for_no_lifetime(
        open_session: Open, registries: list[Registry]) -> None:
    stock = stock_of(await open_session(add_div))
    await registries[0].expire(60.0)
    await asyncio.sleep(0.05)
    assert not stock.destroyed
    assert not stock.expiration_requested
    stock.request_expiration()
    assert stock.expiration_requested
    await registries[0].expire(60.0)
    async with asyncio.timeout(10):
        while not stock.destroyed:
            await asyncio.sleep(0.01)


async def test_it_keeps_no_session_alive(open_session: Open, registries: list[Registry]) -> None:
    gone = weakref.ref(await open_session(add_div))
    session = gone()
    assert session is not None
    stock = stock_of(session)
    del session
    await registries[0].close(Deadline(1))
    async with asyncio.timeout(10):
        while gone() is not None:  # a thread may be about to let go of it
            await asyncio.sleep(0.01)
            gc.collect()
    assert stock.destroyed


async def test_an_unlocked_callback_waits_until_the_app_has_built(open_session: Open) -> None:
    seen: list[str] = []
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    @without_document_lock
    async def unlocked() -> None:
        seen.append("callback")
        loop.call_soon_threadsafe(ended.set)

    def build(document: Document) -> None:
        document.add_next_tick_callback(unlocked)  # type: ignore[arg-type]
        time.sleep(0.1)
        seen.append("built")

    await open_session(build)
    async with asyncio.timeout(5):
        await ended.wait()
    assert seen == ["built", "callback"]
