from __future__ import annotations

import asyncio
import json
import threading
import time
import weakref
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Button, Div, Slider
from tests.support.session_client import Attach, Client, Open

from hotshoe.config.limit_table import LIMITS
from hotshoe.sessions.inbox import Inbox, plain_changes
from hotshoe.wire import Incoming


def change(new: Any, *, attr: str = "value", model: str = "p1", kind: str = "ModelChanged") -> dict[str, Any]:
    return {"kind": kind, "model": {"id": model}, "attr": attr, "new": new}


def patch(*events: Any, msgid: str = "m") -> Incoming:
    return Incoming(msgid, "PATCH-DOC", json.dumps({"events": events}).encode())


@pytest.mark.parametrize("new", [1, 1.5, "text", True, None, [1, 2], ["a", None]])
def test_plain_values_are_plain(new: Any) -> None:
    assert plain_changes(patch(change(new))) == (("p1", "value"),)


@pytest.mark.parametrize(
    "message",
    [
        patch(change({"id": "p2"})),
        patch(change([{"id": "p2"}])),
        patch(change([[1]])),
        patch(change({"type": "map", "entries": []})),
        patch(change(1, kind="ColumnsStreamed")),
        patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": {}}),
        patch(change(1), {"kind": "TitleChanged", "title": "t"}),
        patch(change("x" * 5000)),
        patch(7),
        Incoming("m", "PATCH-DOC", b'{"events": 5}'),
        Incoming("m", "PATCH-DOC", b"{}"),
        Incoming("m", "PATCH-DOC", b"nonsense"),
        Incoming("m", "PULL-DOC-REQ", b"{}"),
        Incoming("m", "PATCH-DOC", json.dumps({"events": [change(1)]}).encode(), (("0", b"data"),)),
    ],
)
def test_all_else_is_left_alone(message: Incoming) -> None:
    assert plain_changes(message) is None


async def test_a_waiting_change_is_replaced_by_its_successor() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    waiting = inbox.add(patch(change(1), msgid="a"), collapse=True)
    assert waiting is not None
    assert inbox.add(patch(change(2), msgid="b"), collapse=True) is None
    assert inbox.add(patch(change(3), msgid="c"), collapse=True) is None
    assert waiting.take() == patch(change(3), msgid="c")
    assert waiting.answers == ["a", "b", "c"]
    assert inbox.add(patch(change(4), msgid="d"), collapse=True) is not None


@pytest.mark.parametrize(
    "between",
    [patch(change(1, model="p9")), patch(change(1, attr="start")), patch({"kind": "MessageSent"}),
     Incoming("m", "PULL-DOC-REQ", b"{}")],
)
async def test_what_comes_between_keeps_its_place(between: Incoming) -> None:
    inbox = Inbox(asyncio.get_running_loop())
    added = [inbox.add(message, collapse=True) for message in (patch(change(1)), between, patch(change(2)))]
    assert None not in added


async def test_collapsing_can_be_switched_off() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    assert inbox.add(patch(change(1)), collapse=False) is not None
    assert inbox.add(patch(change(2)), collapse=False) is not None


async def test_no_more_is_read_than_the_lane_can_take() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    added = []
    for _ in range(LIMITS.waiting_messages):
        await inbox.ready()
        added.append(inbox.add(Incoming("m", "PULL-DOC-REQ", b"{}"), collapse=True))
    waiting = asyncio.create_task(inbox.ready())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    assert added[0] is not None
    await asyncio.to_thread(inbox.note_answer, added[0])
    async with asyncio.timeout(5):
        await waiting


async def test_no_more_is_read_than_memory_can_take() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    buffers = (("0", bytes(LIMITS.waiting_bytes)),)
    large = inbox.add(Incoming("m", "PATCH-DOC", b"{}", buffers), collapse=True)
    assert large is not None
    waiting = asyncio.create_task(inbox.ready())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await asyncio.to_thread(inbox.note_answer, large)
    async with asyncio.timeout(60):
        await waiting


async def test_a_large_message_is_not_kept_after_it_was_handled() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    waiting = inbox.add(Incoming("m", "PATCH-DOC", bytes(100_000)), collapse=True)
    assert waiting is not None
    inbox.note_answer(waiting)
    gone = weakref.ref(waiting)
    del waiting
    assert gone() is None


class Controls:
    def __init__(self) -> None:
        self.slider = Slider(start=0, end=1000, value=0, step=1)
        self.button = Button()
        self.div = Div()
        self.seen: list[Any] = []
        self.slider.on_change("value", self.move)
        self.button.on_click(lambda: self.seen.append("click"))

    def move(self, attr: str, old: Any, new: Any) -> None:
        time.sleep(0.02)
        self.seen.append(new)
        self.div.text = str(new)

    def fill(self, document: Document) -> None:
        for root in (self.slider, self.button, self.div):
            document.add_root(root)


def click(client: Client, button: Button) -> str:
    values = {"type": "map", "entries": [["model", {"id": button.id}]]}
    event = {"type": "event", "name": "button_click", "values": values}
    return client.send("PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]})


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_fifty_moves_run_few_callbacks_and_each_gets_its_answer(open_session: Open, attach: Attach) -> None:
    controls = Controls()
    session = await open_session(controls.fill)
    client = await attach(session)
    release = threading.Event()
    blocked = asyncio.create_task(session.run(lambda: release.wait(20)))
    await asyncio.sleep(0)
    sent = [client.set(controls.slider, "value", value) for value in range(1, 51)]
    release.set()
    await blocked
    answered: list[str] = []
    while len(answered) < 50:
        header, _, _, _ = await client.next()
        if header["msgtype"] == "OK":
            answered.append(header["reqid"])
    assert sorted(answered) == sorted(sent)
    assert controls.seen == [50]
    assert controls.div.text == "50"


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_slider_click_slider_keeps_its_order(open_session: Open, attach: Attach) -> None:
    controls = Controls()
    session = await open_session(controls.fill)
    client = await attach(session)
    release = threading.Event()
    blocked = asyncio.create_task(session.run(lambda: release.wait(20)))
    await asyncio.sleep(0)  # it waits in the lane, or runs
    for value in (1, 2):
        client.set(controls.slider, "value", value)
    click(client, controls.button)
    for value in (3, 4):
        last = client.set(controls.slider, "value", value)
    release.set()
    await blocked
    while True:
        header, _, _, _ = await client.next()
        if header.get("reqid") == last:
            break
    assert controls.seen == [2, "click", 4]
