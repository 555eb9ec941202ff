"""What goes wrong in the middle of a session must not stop it, and what is stuck must not stop its end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Div, Slider
from tests.support.session_client import Attach, Client, Open

import hotshoe.sessions.outbox as outbox_module
from hotshoe.apps import Hooks, Request
from hotshoe.base.errors import SessionGone, UnlockedChangeError
from hotshoe.base.tasks import Deadline
from hotshoe.sessions import Registry, Session

MakeRegistry = Callable[..., Registry]


def filling(*models: Any) -> Callable[[Document], None]:
    def fill(document: Document) -> None:
        for model in models:
            document.add_root(model)

    return fill


async def works(session: Session) -> None:
    async with asyncio.timeout(5):
        assert await session.lane.outcome(lambda: 5) == (5, None)


class WordlessError(Exception):
    """What some libraries raise: it can't even be printed."""

    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


async def test_a_value_that_can_not_be_sent_is_set_without_the_lock(
    open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture
) -> None:
    source = ColumnDataSource({"x": [1]})
    session = await open_session(filling(source))
    await attach(session)
    with pytest.raises(UnlockedChangeError):
        source.data = {"x": [object()]}
    await works(session)
    assert "sending a change" in caplog.text


async def test_a_value_that_can_not_be_sent_to_a_laggard(
    open_session: Open, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 10)
    div, source = Div(), ColumnDataSource({"x": [1]})
    session = await open_session(filling(div, source))
    client = await attach(session)
    await session.lane.outcome(lambda: setattr(div, "text", "x" * 100))
    await session.lane.outcome(lambda: setattr(source, "data", {"x": [object()]}))
    await client.next()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.next()
    await works(session)
    await works(session)


async def test_an_exception_that_can_not_be_printed(open_session: Open, attach: Attach) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        raise WordlessError

    slider = Slider(start=0, end=9, value=0)
    slider.on_change("value", react)
    session = await open_session(filling(slider), dev=True)
    client = await attach(session)
    client.set(slider, "value", 3)
    assert "WordlessError" in (await client.until("ERROR"))[-1]["text"]
    await works(session)


async def test_a_model_that_a_client_has_defined_stays_known_when_the_callback_fails(
    open_session: Open, attach: Attach
) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        raise ValueError("as it happens")

    column = Column(children=[Div()])
    session = await open_session(filling(column))
    column.on_change("children", react)
    client = await attach(session)
    await client.pull()
    added = {"type": "object", "name": "Div", "id": "p-of-the-client"}
    model = {"id": column.id}
    client.send("PATCH-DOC", {"events": [{"kind": "ModelChanged", "model": model, "attr": "children", "new": [added]}]})
    await client.until("ERROR")

    def change() -> None:
        column.remove_on_change("children", react)
        column.children = [*column.children, Div()]

    await session.run(change)
    events = (await client.next())[2]["events"]
    assert events[0]["new"][0] == {"id": "p-of-the-client"}


async def test_a_change_that_was_held_reaches_the_one_who_ends_the_hold(open_session: Open, attach: Attach) -> None:
    slider = Slider(start=0, end=9, value=0)
    session = await open_session(filling(slider))
    mover, other = await attach(session), await attach(session)
    await session.run(session.document.hold)
    mover.set(slider, "value", 3)
    await mover.events()
    session.document.on_message("go", lambda data: session.document.unhold())
    other.send("PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "go", "msg_data": None}]})
    assert [event["new"] for event in await other.events()] == [3]


async def test_a_laggard_does_not_know_what_a_hold_keeps_back(
    open_session: Open, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 1000)
    column = Column(children=[Div()])
    session = await open_session(filling(column))
    client = await attach(session)
    await client.pull()
    await session.run(session.document.hold)
    await session.run(lambda: setattr(column, "children", [Div(text="new")]))
    for _ in range(30):
        client.send("SERVER-INFO-REQ")
    await works(session)
    await works(session)
    assert client.connection.subscriber.lag is not None
    await session.run(session.document.unhold)
    contents = [(await client.next())[2] for _ in range(31)]
    (event,) = [event for content in contents for event in content.get("events", ())]
    assert event["new"][0]["name"] == "Div"


async def _flood(client: Client, slider: Slider, count: int, *, pull: bool) -> bool:
    """Whether the session takes so many messages at once."""
    for number in range(count):
        client.set(slider, "value", number)
        if pull:
            client.send("PULL-DOC-REQ")
        try:
            async with asyncio.timeout(0.5):
                await client.connection.ready()
        except TimeoutError:
            return False
    return True


async def test_who_asks_and_does_not_read_is_not_read(open_session: Open, attach: Attach) -> None:
    slider = Slider(start=0, end=1e9, value=0)
    session = await open_session(filling(slider, Div(text="x" * 100_000)))
    client = await attach(session)
    assert not await _flood(client, slider, 300, pull=True)
    await client.connection.receive()
    async with asyncio.timeout(5):
        await client.connection.ready()


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_what_one_waiting_message_stands_for_is_bounded(open_session: Open, attach: Attach) -> None:
    slider = Slider(start=0, end=1e9, value=0)
    session = await open_session(filling(slider))
    client = await attach(session)
    release = threading.Event()
    session.lane.run(lambda: release.wait(20), lambda result, error: ())
    try:
        assert not await _flood(client, slider, 20_000, pull=False)
    finally:
        release.set()


@pytest.mark.parametrize("pool", [1], indirect=True)
async def test_all_ends_though_the_only_thread_is_stuck(make_registry: MakeRegistry) -> None:
    release = threading.Event()
    destroyed: list[str] = []
    registry = make_registry(filling(), Hooks(session_destroyed=lambda context: destroyed.append(context.id)))
    session, _ = await registry.open("a", Request(), {}), await registry.open("b", Request(), {})
    session.lane.run(lambda: release.wait(20), lambda result, error: ())
    waiting = asyncio.create_task(session.run(lambda: None))
    await asyncio.sleep(0.05)
    try:
        async with asyncio.timeout(5):
            await registry.close(Deadline(0.1))
            with pytest.raises(SessionGone):
                await waiting
    finally:
        release.set()
    assert sorted(destroyed) == ["a", "b"]


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_a_session_that_ends_already_is_not_ended_again(make_registry: MakeRegistry) -> None:
    release = threading.Event()
    destroyed: list[str] = []

    def hook(context: Any) -> None:
        destroyed.append(context.id)
        release.wait(20)

    registry = make_registry(filling(), Hooks(session_destroyed=hook))
    await registry.open("a", Request(), {})
    await registry.expire(-1)
    try:
        async with asyncio.timeout(10):
            while not destroyed:
                await asyncio.sleep(0.01)
            await registry.close(Deadline(0.2))
    finally:
        release.set()
    assert destroyed == ["a"]


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_a_busy_session_is_asked_once_whether_it_is_unused(make_registry: MakeRegistry) -> None:
    release = threading.Event()
    registry = make_registry(filling())
    session = await registry.open("a", Request(), {})
    session.lane.run(lambda: release.wait(20), lambda result, error: ())
    try:
        for _ in range(5):
            await registry.expire(-1)
        assert len(registry._endings) == 1
    finally:
        release.set()


async def test_a_model_whose_destroy_fails_keeps_nothing_alive(
    open_session: Open, registries: list[Registry], caplog: pytest.LogCaptureFixture
) -> None:
    div = Div()
    session = await open_session(filling(div))
    with contextlib.suppress(AttributeError):
        object.__setattr__(div, "destroy", lambda: 1 / 0)
    await registries[-1].close(Deadline(1))
    assert session.context.session is None
    assert not list(session.document.models)
    assert "ZeroDivisionError" in caplog.text
