from __future__ import annotations

import threading

import pytest
from bokeh.document import Document
from bokeh.document.events import TitleChangedEvent

from hotshoe.client import outbox as module
from hotshoe.client.outbox import Item, Outbox


def change(msgid: str, size: int = 1) -> Item:
    return Item(msgid, (b"x" * size,), TitleChangedEvent(Document(), msgid))


def test_what_is_put_is_taken_in_order_and_waits_for_confirmation() -> None:
    woken: list[int] = []
    outbox = Outbox(lambda: woken.append(1))
    for name in "abc":
        outbox.put(change(name))
    outbox.put(Item("question", (b"?",)))
    taken = [item.msgid for item in iter(outbox.take, None)]
    assert taken == ["a", "b", "c", "question"]
    assert len(woken) == 4
    assert len(outbox.unconfirmed) == 3
    assert outbox.confirm("b")
    assert not outbox.confirm("b")
    assert not outbox.confirm("question")
    assert len(outbox.unconfirmed) == 2


def test_a_cut_tells_what_was_sent_from_what_was_not() -> None:
    outbox = Outbox(lambda: None)
    for name in "abc":
        outbox.put(change(name))
    outbox.take()
    sent, unsent = outbox.cut()
    assert [event.title for event in sent] == ["a"]  # type: ignore[attr-defined]
    assert [event.title for event in unsent] == ["b", "c"]  # type: ignore[attr-defined]
    assert outbox.take() is None
    assert outbox.unconfirmed == []


@pytest.mark.parametrize("make_room", [Outbox.take, Outbox.cut])
def test_a_thread_waits_for_room(monkeypatch: pytest.MonkeyPatch, make_room: object) -> None:
    monkeypatch.setattr(module, "ROOM_BYTES", 10)
    outbox = Outbox(lambda: None)
    outbox.put(change("a", 10))
    outbox.wait_for_room()
    outbox.put(change("b", 1))
    waiting = threading.Thread(target=outbox.wait_for_room)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    make_room(outbox)  # type: ignore[operator]
    waiting.join(10)
    assert not waiting.is_alive()
