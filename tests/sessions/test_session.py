from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document, without_document_lock
from bokeh.events import Event
from bokeh.io import curdoc
from bokeh.model import Model
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Div, Slider
from tests.support.session_client import Attach, Open

from hotshoe.base.errors import UnlockedChangeError
from hotshoe.sessions import Session, audience
from hotshoe.sessions.outbox import Subscriber

threads_only = pytest.mark.parametrize("pool", [8], indirect=True)
"""Without threads everyone waits for everyone, as in stock."""


class Models:
    """A slider that runs ``react`` when it moves, a source and a div."""

    def __init__(self) -> None:
        self.slider = Slider(start=0, end=100, value=0, step=1)
        self.source = ColumnDataSource({"x": [1]})
        self.div = Div(text="")
        self.more: list[Model] = []
        self.react: Any = lambda attr, old, new: None
        self.slider.on_change("value", lambda attr, old, new: self.react(attr, old, new))

    def fill(self, document: Document) -> None:
        for model in (self.slider, self.source, self.div, *self.more):
            document.add_root(model)


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, the changes of a callback wait for its end."""
    monkeypatch.setattr(audience, "LIVE_S", 60)


@pytest.mark.usefixtures("patient")
async def test_what_a_callback_changes_leaves_as_one_patch_before_the_ok(
    models: Models, open_session: Open, attach: Attach
) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        models.div.text = "a"
        models.source.data = {"x": [new]}
        models.div.text = "b"

    session = await open_session(models.fill)
    client = await attach(session)
    models.react = react
    msgid = client.set(models.slider, "value", 7)
    header, _, content, _ = await client.next()
    assert header["msgtype"] == "PATCH-DOC"
    assert [event["kind"] for event in content["events"]] == ["ModelChanged", "ColumnDataChanged", "ModelChanged"]
    header, _, _, _ = await client.next()
    assert (header["msgtype"], header["reqid"]) == ("OK", msgid)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("viewers", [1, 2])
async def test_a_stream_after_a_replacement_does_not_leak_into_it(
    viewers: int, models: Models, open_session: Open, attach: Attach
) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        models.source.data = {"x": [10, 20]}
        models.source.stream({"x": [30]})

    session = await open_session(models.fill)
    clients = [await attach(session) for _ in range(viewers)]
    models.react = react
    clients[0].set(models.slider, "value", 1)
    events = await clients[0].events()
    assert events[0]["data"]["entries"] == [["x", [10, 20]]]
    assert events[1]["data"]["entries"] == [["x", [30]]]
    for client in clients[1:]:
        _, _, content, _ = await client.next()
        kinds = [event["kind"] for event in content["events"]]
        assert kinds == ["ColumnDataChanged", "ColumnsStreamed", "ModelChanged"]


async def test_the_originator_does_not_get_its_change_back_but_others_do(
    models: Models, open_session: Open, attach: Attach
) -> None:
    session = await open_session(models.fill)
    one, two = await attach(session), await attach(session)
    one.set(models.slider, "value", 5)
    assert await one.events() == []
    _, _, content, _ = await two.next()
    assert [(event["attr"], event["new"]) for event in content["events"]] == [("value", 5)]


async def test_the_originator_gets_a_correction_of_its_change(
    models: Models, open_session: Open, attach: Attach
) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        if new > 50:
            models.slider.value = 50

    session = await open_session(models.fill)
    client = await attach(session)
    models.react = react
    client.set(models.slider, "value", 70)
    assert [(event["attr"], event["new"]) for event in await client.events()] == [("value", 50)]


async def test_a_model_that_left_and_returns_begins_a_new_message(
    models: Models, open_session: Open, attach: Attach
) -> None:
    box = Column(children=[Div(text="inner")])

    def react(attr: str, old: Any, new: Any) -> None:
        inner = box.children[0]
        box.children = []
        box.children = [inner]

    models.more = [box]
    session = await open_session(models.fill)
    client = await attach(session)
    await client.pull()
    models.react = react
    client.set(models.slider, "value", 1)
    patches = (await client.until("OK"))[:-1]
    assert [len(patch["events"]) for patch in patches] == [1, 1]


async def test_a_new_model_is_defined_once_and_referred_to_later(
    models: Models, open_session: Open, attach: Attach
) -> None:
    box = Column()
    added = Div(text="new")

    def react(attr: str, old: Any, new: Any) -> None:
        box.children = [added]
        added.text = "newer"

    models.more = [box]
    session = await open_session(models.fill)
    client = await attach(session)
    await client.pull()
    models.react = react
    client.set(models.slider, "value", 1)
    first, second = await client.events()
    assert first["new"][0]["name"] == "Div"
    assert second["model"] == {"id": added.id}


async def test_binary_data_goes_both_ways(models: Models, open_session: Open, attach: Attach) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        models.source.data = {"x": np.arange(1000.0)}

    session = await open_session(models.fill)
    client = await attach(session)
    models.react = react
    client.set(models.slider, "value", 1)
    header, _, _, buffers = await client.next()
    assert header["num_buffers"] == 1
    assert np.array_equal(np.frombuffer(buffers[0]), np.arange(1000.0))

    await client.until("OK")
    array = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "0"}}, "shape": [3], "dtype": "float64",
             "order": "little"}
    data = {"type": "map", "entries": [["x", array]]}
    event = {"kind": "ColumnDataChanged", "model": {"id": models.source.id}, "attr": "data", "data": data, "cols": None}
    client.send("PATCH-DOC", {"events": [event]}, (("0", np.array([1.5, 2.5, 3.5]).tobytes()),))
    await client.until("OK")
    assert list(models.source.data["x"]) == [1.5, 2.5, 3.5]


async def test_an_array_that_is_written_to_later_was_sent_as_it_was(
    models: Models, open_session: Open, attach: Attach
) -> None:
    array = np.zeros(500)

    def react(attr: str, old: Any, new: Any) -> None:
        models.source.data = {"x": array}
        array[:] = 1

    session = await open_session(models.fill)
    client = await attach(session)
    models.react = react
    client.set(models.slider, "value", 1)
    _, _, _, buffers = await client.next()
    assert not np.frombuffer(buffers[0]).any()


async def test_an_unchanged_document_is_encoded_once(models: Models, open_session: Open, attach: Attach) -> None:
    session = await open_session(models.fill)
    client = await attach(session)
    first = await client.pull()
    kept = await session.run(lambda: session.pull(Subscriber(session.loop)))
    assert await session.run(lambda: session.pull(Subscriber(session.loop))) is kept
    client.set(models.slider, "value", 9)
    await client.until("OK")
    second = await client.pull()
    assert first["roots"][0]["attributes"]["value"] == 0
    assert second["roots"][0]["attributes"]["value"] == 9


async def test_a_second_pull_carries_arrays_inline(models: Models, open_session: Open, attach: Attach) -> None:
    models.source.data = {"x": np.arange(500.0)}
    session = await open_session(models.fill)
    client = await attach(session)
    client.send("PULL-DOC-REQ")
    header, _, _, _ = await client.next()
    assert header["num_buffers"] == 1
    client.send("PULL-DOC-REQ")
    header, _, content, _ = await client.next()
    assert header["num_buffers"] == 0
    assert isinstance(content["doc"]["roots"][1]["attributes"]["data"]["entries"][0][1]["array"]["data"], str)


@pytest.mark.parametrize("policy", ["collect", "combine"])
async def test_a_hold_keeps_no_callback_back(models: Models, open_session: Open, policy: Any) -> None:
    session = await open_session(models.fill)
    document, ended = session.document, asyncio.Event()

    def end_hold() -> None:
        document.unhold()
        session.loop.call_soon_threadsafe(ended.set)

    def hold() -> None:
        removed = document.add_timeout_callback(lambda: pytest.fail("it was removed"), 1)
        document.hold(policy)
        document.remove_timeout_callback(removed)
        document.add_next_tick_callback(end_hold)

    await session.run(hold)
    await asyncio.wait_for(ended.wait(), 5)
    assert document.callbacks.hold_value is None


async def test_who_hears_of_a_callback_has_the_document(models: Models, open_session: Open) -> None:
    document, seen = (await open_session(models.fill)).document, list[bool]()
    document.on_change(lambda event: seen.append(curdoc() is document))
    for _ in ("no hold", "a hold"):
        document.remove_timeout_callback(document.add_timeout_callback(lambda: None, 60_000))
        document.hold()
    assert seen == [True] * 4


async def test_what_a_hold_keeps_back_is_seen_by_a_pull_and_told_once(
    models: Models, open_session: Open, attach: Attach
) -> None:
    session = await open_session(models.fill)
    client = await attach(session)
    await client.pull()

    def hold() -> None:
        session.document.hold("collect")
        models.source.data = {"x": [1, 2]}
        models.source.stream({"x": [3]})

    await session.run(hold)
    pulled = await client.pull()
    assert pulled["roots"][1]["attributes"]["data"]["entries"] == [["x", [1, 2, 3]]]
    await session.run(session.document.unhold)
    _, _, content, _ = await client.next()
    assert [event["kind"] for event in content["events"]] == ["ColumnDataChanged"]
    assert content["events"][0]["data"]["entries"] == [["x", [1, 2, 3]]]


async def test_a_pushed_document_replaces_the_old_one(models: Models, open_session: Open, attach: Attach) -> None:
    session = await open_session(models.fill)
    client = await attach(session)
    other = Document()
    other.add_root(Div(text="pushed"))
    client.send("PUSH-DOC", {"doc": other.to_json(deferred=False)})
    await client.until("OK")
    (root,) = session.document.roots
    assert isinstance(root, Div)
    assert root.text == "pushed"


async def test_a_failing_callback_is_answered_with_an_id_and_the_session_lives_on(
    models: Models, open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture
) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        models.div.text = "before"
        raise ValueError("secret detail")

    session = await open_session(models.fill)
    client = await attach(session)
    models.react = react
    client.set(models.slider, "value", 1)
    _, _, content, _ = await client.next()
    assert content["events"][0]["new"] == "before"
    header, _, content, _ = await client.next()
    assert header["msgtype"] == "ERROR"
    assert "secret detail" not in str(content)
    error_id = content["text"].split()[-1].rstrip(")")
    assert error_id in caplog.text
    assert "secret detail" in caplog.text
    models.react = lambda attr, old, new: None
    client.set(models.slider, "value", 2)
    await client.until("OK")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"kind": "ModelChanged", "model": {"id": "never"}, "attr": "value", "new": 1}, "never"),
        ({"kind": "ModelChanged", "model": None, "attr": "value", "new": "text"}, "ValueError"),
        ({"kind": "Nonsense"}, "Nonsense"),
        (7, "int"),
    ],
)
async def test_what_a_client_should_not_have_sent_takes_one_line_of_the_log(
    event: Any, reason: str, models: Models, open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture
) -> None:
    session = await open_session(models.fill)
    client = await attach(session)
    if isinstance(event, dict) and "model" in event and event["model"] is None:
        event = {**event, "model": {"id": models.slider.id}}
    client.send("PATCH-DOC", {"events": [event]})
    (content,) = await client.until("ERROR")
    (record,) = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    line = record.getMessage()
    assert "\n" not in line
    assert content["text"].split()[-1] in line
    assert reason in line


async def test_in_dev_mode_the_error_carries_the_traceback(
    models: Models, open_session: Open, attach: Attach
) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        raise ValueError("the detail")

    session = await open_session(models.fill, dev=True)
    client = await attach(session)
    models.react = react
    client.set(models.slider, "value", 1)
    (content,) = await client.until("ERROR")
    assert "the detail" in content["traceback"]


async def test_sys_exit_ends_only_the_callback(models: Models, open_session: Open, attach: Attach) -> None:
    def react(attr: str, old: Any, new: Any) -> None:
        raise SystemExit

    session = await open_session(models.fill)
    client = await attach(session)
    models.react = react
    client.set(models.slider, "value", 1)
    await client.until("OK")
    assert models.slider.value == 1


async def test_curdoc_is_right_everywhere(models: Models, open_session: Open, attach: Attach) -> None:
    seen: dict[str, bool] = {}

    async def callback() -> None:
        seen["coroutine"] = curdoc() is session.document
        await asyncio.sleep(0)
        seen["after await"] = curdoc() is session.document
        seen["to_thread"] = await asyncio.to_thread(lambda: curdoc() is session.document)

    def fails() -> None:
        raise ValueError("on purpose")

    def after() -> None:
        seen["after an exception"] = curdoc() is session.document

        def in_thread() -> None:
            seen["own thread"] = curdoc() is session.document

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()

    session = await open_session(models.fill)
    await session.run(callback)
    with pytest.raises(ValueError, match="on purpose"):
        await session.run(fails)
    await session.run(after)
    assert seen == {
        "coroutine": True, "after await": True, "to_thread": True, "after an exception": True, "own thread": False,
    }


async def test_a_change_without_the_lock_names_the_fix_and_arrives_all_the_same(
    models: Models, open_session: Open, attach: Attach
) -> None:
    session = await open_session(models.fill)
    client = await attach(session)
    await client.pull()
    errors: list[BaseException] = []

    def change() -> None:
        for text in ("one", "two"):
            try:
                models.div.text = text
            except UnlockedChangeError as error:
                errors.append(error)

    await asyncio.to_thread(change)
    assert len(errors) == 2
    assert "add_next_tick_callback" in str(errors[0])
    assert "locked_callback" in str(errors[0])
    told = ""
    while told != "two":
        _, _, content, _ = await client.next()
        told = content["events"][-1]["new"]


async def test_a_task_that_outlives_its_section_has_no_lock(models: Models, open_session: Open) -> None:
    session = await open_session(models.fill)
    tasks: list[asyncio.Task[None]] = []

    async def late() -> None:
        await asyncio.sleep(0.05)
        models.div.text = "late"

    async def callback() -> None:
        tasks.append(asyncio.create_task(late()))

    await session.run(callback)
    with pytest.raises(UnlockedChangeError):
        await tasks[0]


@threads_only
async def test_an_unlocked_callback_runs_beside_the_lane(models: Models, open_session: Open) -> None:
    session = await open_session(models.fill)
    started = threading.Event()
    seen: list[str] = []

    @without_document_lock
    def unlocked() -> None:
        seen.append(type(curdoc()).__name__)
        started.set()

    def blocks() -> None:
        session.document.add_next_tick_callback(unlocked)
        assert started.wait(5)

    await session.run(blocks)
    assert seen == ["UnlockedDocumentProxy"]


async def test_locked_work_of_one_session_never_overlaps(models: Models, open_session: Open) -> None:
    session = await open_session(models.fill)
    running = 0
    order: list[int] = []

    def make(index: int) -> Any:
        def sync() -> None:
            nonlocal running
            running += 1
            assert running == 1
            order.append(index)
            running -= 1

        async def asynchronous() -> None:
            nonlocal running
            running += 1
            await asyncio.sleep(0.001)
            assert running == 1
            order.append(index)
            running -= 1

        return asynchronous if index % 3 == 0 else sync

    await asyncio.gather(*(session.run(make(index)) for index in range(60)))
    assert order == list(range(60))


async def test_with_locked_document_works_inside_and_outside_the_lock(models: Models, open_session: Open) -> None:
    session = await open_session(models.fill)

    async def change(document: Document) -> None:
        models.div.text += "x"

    async def callback() -> None:
        await session.context.with_locked_document(change)

    async with asyncio.timeout(5):
        await session.context.with_locked_document(change)
        await session.run(callback)
    assert models.div.text == "xx"


@threads_only
async def test_the_lane_is_free_while_another_session_is_busy(models: Models, open_session: Open) -> None:
    slow, quick = await open_session(lambda document: None), await open_session(models.fill)
    release = threading.Event()
    waiting = asyncio.create_task(slow.run(lambda: release.wait(10)))
    async with asyncio.timeout(5):
        await quick.run(lambda: None)
    assert not waiting.done()
    release.set()
    await waiting


async def test_a_disconnect_is_told_to_the_document(models: Models, open_session: Open, attach: Attach) -> None:
    lost = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fill(document: Document) -> None:
        def lose(event: Event) -> None:
            loop.call_soon_threadsafe(lost.set)

        document.on_event("connection_lost", lose)

    session: Session = await open_session(fill)
    client = await attach(session)
    assert session.connection_count == 1
    client.connection.detach()
    client.connection.detach()
    assert session.connection_count == 0
    async with asyncio.timeout(5):
        await lost.wait()
