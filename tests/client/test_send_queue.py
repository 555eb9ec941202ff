from __future__ import annotations

import threading

import pytest
from bokeh.document import Document
from bokeh.document.events import TitleChangedEvent

from hotshoe.client import send_queue
from hotshoe.client.send_queue import QueuedMessage, SendQueue


def change(msgid: str, size: int = 1) -> QueuedMessage:
    return QueuedMessage(msgid, (b"x" * size,), TitleChangedEvent(Document(), msgid))


def test_what_is_put_is_taken_in_order_and_waits_for_confirmation() -> None:
    woken: list[int] = []
    queue = SendQueue(lambda: woken.append(1))
    for name in "abc":
        queue.put(change(name))
    queue.put(QueuedMessage("question", (b"?",)))
    taken = [item.msgid for item in iter(queue.take, None)]
    assert taken == ["a", "b", "c", "question"]
    assert len(woken) == 4
    assert len(queue.unconfirmed) == 3
    assert queue.confirm("b")
    assert not queue.confirm("b")
    assert not queue.confirm("question")
    assert len(queue.unconfirmed) == 2


def test_clearing_tells_sent_changes_from_unsent_ones() -> None:
    queue = SendQueue(lambda: None)
    for name in "abc":
        queue.put(change(name))
    queue.take()
    sent, unsent = queue.clear()
    assert [event.title for event in sent] == ["a"]  # type: ignore[attr-defined]
    assert [event.title for event in unsent] == ["b", "c"]  # type: ignore[attr-defined]
    assert queue.take() is None
    assert queue.unconfirmed == []


@pytest.mark.parametrize("make_room", [SendQueue.take, SendQueue.clear])
def test_a_thread_waits_for_room(monkeypatch: pytest.MonkeyPatch, make_room: object) -> None:
    monkeypatch.setattr(send_queue, "ROOM_BYTES", 10)
    queue = SendQueue(lambda: None)
    queue.put(change("a", 10))
    queue.wait_for_room()
    queue.put(change("b", 1))
    waiting = threading.Thread(target=queue.wait_for_room)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    make_room(queue)  # type: ignore[operator]
    waiting.join(10)
    assert not waiting.is_alive()
