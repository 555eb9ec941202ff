"""A connection that does not read must cost nobody anything, and see the right document when it reads again."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from bokeh.core.serialization import Buffer, Serialized
from bokeh.document import Document
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Div, Slider
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.session_client import Attach, Open

import hotshoe.sessions.audience as audience_module
import hotshoe.sessions.outbox as outbox_module
import hotshoe.sessions.pulse as pulse_module
from hotshoe.apps import App, Request
from hotshoe.base.tasks import Deadline
from hotshoe.sessions import Pulse, Registry, Session, Surroundings
from hotshoe.sessions import attach as connect
from hotshoe.wire import Close, Incoming


class Viewer:
    """A client with a document of its own, kept up to date by bokeh's own code; it reads when it is told to."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.connection = connect(session)
        self.document = Document()
        self.bytes = 0

    async def catch_up(self) -> None:
        """Read until there is nothing more to read, now or soon."""
        subscriber = self.connection.subscriber
        await self.read()
        while self.session.busy or subscriber.lag is not None or subscriber.outbox._messages:
            await self.read()

    async def read(self, quiet_s: float = 0.02) -> None:
        """Read and apply all there is, until nothing comes for a moment."""
        while True:
            try:
                async with asyncio.timeout(quiet_s):
                    received = await self.connection.receive()
            except TimeoutError:
                return
            assert not isinstance(received, Close), received
            for fragments in received:
                self._apply([bytes(fragment) for fragment in fragments])

    def _apply(self, fragments: list[bytes]) -> None:
        self.bytes += sum(map(len, fragments))
        header, _, content = map(json.loads, fragments[:3])
        pairs = zip(fragments[3::2], fragments[4::2], strict=True)
        buffers = [Buffer(json.loads(name)["id"], data) for name, data in pairs]
        if header["msgtype"] == "PULL-DOC-REPLY":
            self.document.replace_with_json(Serialized(content["doc"], buffers))
        elif header["msgtype"] == "PATCH-DOC":
            self.document.apply_json_patch(Serialized(content, buffers))

    async def pull(self) -> None:
        self.connection.handle(Incoming("pull", "PULL-DOC-REQ", b"{}"))
        await self.catch_up()


def state(document: Document) -> Any:
    """The roots with their properties, models by id, whatever the order in which they are defined."""
    models = {}
    for model in document.models:
        values = model.properties_with_values(include_defaults=False)
        models[model.id] = {name: _plain(value) for name, value in values.items()}
    return [root.id for root in document.roots], document.title, models


def _plain(value: Any) -> Any:
    if hasattr(value, "id"):
        return ("model", value.id)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


class Stage:
    """What the operations below play with."""

    def __init__(self) -> None:
        self.source = ColumnDataSource({"x": [0], "y": [0]})
        self.slider = Slider(start=0, end=100, value=0, step=1)
        self.box = Column(children=[Div(text="first")])
        self.spare: list[Any] = [Div(text=f"spare {index}") for index in range(3)]

    def fill(self, document: Document) -> None:
        for root in (self.source, self.slider, self.box):
            document.add_root(root)

    def play(self, document: Document, operation: str, number: int) -> None:
        spare = self.spare[number % 3]
        match operation:
            case "stream":
                self.source.stream({"x": [number] * 20, "y": [number] * 20}, rollover=200)
            case "patch":
                self.source.patch({"x": [(0, number)]})
            case "replace":
                self.source.data = {"x": [number], "y": [number + 1]}
            case "slide":
                self.slider.value = number % 100
            case "text":
                spare.text = f"text {number}"
            case "children":
                self.box.children = [self.spare[index] for index in range(3) if number >> index & 1]
            case "nest":
                self.box.children = [Column(children=[spare]), Div(text=str(number))]
            case "root":
                (document.remove_root if spare in document.roots else document.add_root)(spare)
            case "title":
                document.title = f"title {number}"


OPERATIONS = ["stream", "stream", "patch", "replace", "slide", "text", "children", "nest", "root", "title"]
steps = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1000)), min_size=1, max_size=6),
        st.sampled_from(["nobody", "nobody", "steady", "both"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
@example(  # a model leaves, changes while nobody watches it, and returns
    steps=[
        ([("nest", 215), *[("stream", 1)] * 6], "nobody"),
        ([("nest", 480)], "nobody"),
        ([("text", 704), ("children", 149)], "nobody"),
    ]
)
def test_after_quiet_every_viewer_sees_what_the_server_has(steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 600)
    asyncio.run(_play(steps))


async def _play(steps: Any) -> None:
    stage = Stage()
    registry = Registry(App(build=stage.fill), "/app", Surroundings(asyncio.get_running_loop(), None, Pulse()))
    session = await registry.open("a", Request(), {})
    steady, slow = Viewer(session), Viewer(session)
    await steady.pull()
    await slow.pull()

    def play(operations: Any) -> None:
        for operation, number in operations:
            stage.play(session.document, operation, number)

    for operations, readers in steps:
        await session.run(partial(play, operations))
        if readers != "nobody":
            await steady.read(0.001)
        if readers == "both":
            await slow.read(0.001)
    await steady.catch_up()
    await slow.catch_up()
    expected = state(session.document)
    assert state(steady.document) == expected
    assert state(slow.document) == expected
    await registry.close(Deadline(1))


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def opened(stage: Stage, open_session: Open) -> tuple[Session, Viewer, Viewer]:
    session = await open_session(stage.fill)
    steady, slow = Viewer(session), Viewer(session)
    await steady.pull()
    await slow.pull()
    return session, steady, slow


async def test_what_waits_for_a_viewer_that_does_not_read_is_bounded(stage: Stage, open_session: Open) -> None:
    session, steady, slow = await opened(stage, open_session)
    row: dict[str, Any] = {"x": list(range(5000)), "y": list(range(5000))}
    for _ in range(200):
        await session.run(lambda: stage.source.stream(row, rollover=5000))
        await steady.read(0.001)
    await steady.catch_up()
    assert steady.bytes > 5 * 2**20
    before = slow.bytes
    await slow.catch_up()
    assert slow.bytes - before < 2 * outbox_module.WAITING_BYTES_MOST
    assert state(slow.document) == state(steady.document) == state(session.document)


async def test_titles_messages_and_roots_are_told_in_order(
    stage: Stage, open_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 600)
    session, _, slow = await opened(stage, open_session)
    titles: list[str] = []
    slow.document.on_change(lambda event: titles.append(getattr(event, "title", "")))

    def retitle(index: int) -> None:
        session.document.title = f"title {index}"
        stage.source.stream({"x": [0] * 50, "y": [0] * 50})

    for index in range(40):
        await session.run(partial(retitle, index))
    assert slow.connection.subscriber.lag is not None
    await slow.catch_up()
    assert [title for title in titles if title] == [f"title {index}" for index in range(40)]


async def test_a_laggard_learns_the_latest_of_what_the_page_is_told(
    stage: Stage, open_session: Open, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 600)
    monkeypatch.setattr(pulse_module, "BUSY_S", 0.0)
    session = await open_session(stage.fill)
    client = await attach(session)

    async def take_long() -> None:
        while not client.connection.subscriber.outbox._messages:  # the page is told at the next beat that it is busy
            await asyncio.sleep(0.001)
        stage.source.stream({"x": [0] * 500, "y": [0] * 500})

    await session.run(take_long)
    assert client.connection.subscriber.lag is not None
    told: list[Any] = []
    while not told or told[-1] != {"busy": False}:
        _, metadata, _, _ = await client.next()
        told += [metadata] if "busy" in metadata else []
    assert told == [{"busy": True}, {"busy": False}]


async def test_who_can_not_even_be_told_what_must_be_kept_is_closed_with_1013(
    stage: Stage, open_session: Open, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 600)
    monkeypatch.setattr(audience_module, "KEPT_BYTES_MOST", 10_000)
    session = await open_session(stage.fill)
    client = await attach(session)

    for index in range(100):
        await session.run(partial(session.document.set_title, str(index) * 200))
    assert (await client.closed()).code == 1013
