from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from bokeh.core.serialization import Buffer, Serialized
from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsStreamedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
)
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from tests.support.scripted_server import document_json

from hotshoe.base.errors import ClientError
from hotshoe.client.mirror import UNSETTLED_S, DocumentLock, Mirror, Stale, Unsettled


def parsed(fragment: bytes | memoryview) -> Any:
    return json.loads(bytes(fragment))


class Pair:
    """A document there, its mirror here, and what the mirror says was changed here."""

    def __init__(self) -> None:
        self.there = Document()
        self.there.title = "There"
        self.slider = Slider(name="slider", start=0, end=9, value=1)
        self.source = ColumnDataSource(name="source", data={"x": [1]})
        for root in (self.slider, Div(name="div", text="a", tags=[self.source])):
            self.there.add_root(root)
        self.said: list[Any] = []
        self.mirror = Mirror(DocumentLock(), changed=self.said.append, throttle=lambda: None,
                             added=self.said.append, removed=self.said.append)
        self.mirror.replace(self.content(), ())

    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(document_json(self.there))
        return content

    @property
    def here(self) -> Document:
        assert self.mirror.document is not None
        return self.mirror.document

    def model(self, name: str) -> Any:
        return self.here.get_model_by_name(name)

    def renew(self) -> tuple[set[str], list[Exception]]:
        return self.mirror.renew(self.content(), (), Stale(self.said))


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_what_is_taken_over_is_not_said_again(pair: Pair) -> None:
    assert pair.here.title == "There"
    assert pair.model("slider").value == 1
    assert pair.said == []
    pair.there.title = "Else"
    pair.mirror.replace(pair.content(), ())
    assert pair.said == []


def test_a_change_here_is_said_one_from_there_is_not(pair: Pair) -> None:
    event = {"kind": "ModelChanged", "model": {"id": pair.slider.id}, "attr": "value", "new": 4}
    pair.mirror.apply({"events": [event]}, ())
    assert pair.model("slider").value == 4
    assert pair.said == []
    pair.model("slider").value = 5
    (change,) = pair.said
    message = pair.mirror.patch("id", change)
    assert parsed(message[0]) == {"msgid": "id", "msgtype": "PATCH-DOC"}
    assert parsed(message[2]) == {"events": [{**event, "new": 5}]}


def test_what_a_callback_changes_in_answer_is_said(pair: Pair) -> None:
    pair.model("slider").on_change("value", lambda attr, old, new: setattr(pair.model("div"), "text", str(new)))
    event = {"kind": "ModelChanged", "model": {"id": pair.slider.id}, "attr": "value", "new": 4}
    pair.mirror.apply({"events": [event]}, ())
    (change,) = pair.said
    assert (change.attr, change.new) == ("text", "4")


def test_renewing_keeps_models_and_tells_callbacks_what_differs(pair: Pair) -> None:
    slider, source, heard = pair.model("slider"), pair.model("source"), []
    slider.on_change("value", lambda attr, old, new: heard.append((old, new)))
    slider.on_change("start", lambda attr, old, new: heard.append((old, new)))
    pair.slider.value = 7
    pair.source.data = {"x": [1, 2], "y": [3, 4]}
    pair.there.title = "Later"
    known, errors = pair.renew()
    assert (pair.model("slider"), pair.model("source")) == (slider, source)
    assert slider.value == 7
    assert dict(source.data) == {"x": [1, 2], "y": [3, 4]}
    assert heard == [(1, 7)]
    assert pair.here.title == "Later"
    assert pair.said == []
    assert errors == []
    assert {slider.id, source.id} <= known


def test_a_value_that_is_back_at_its_default(pair: Pair) -> None:
    pair.model("slider")
    pair.slider.step = 5
    pair.renew()
    assert pair.model("slider").step == 5
    pair.slider.step = 1
    pair.renew()
    assert pair.model("slider").step == 1


def test_what_is_changed_here_stays(pair: Pair) -> None:
    pair.model("slider").value = 8
    pair.here.title = "Here"
    pair.slider.value = 3
    pair.slider.title = "new there"
    pair.renew()
    assert pair.model("slider").value == 8
    assert pair.model("slider").title == "new there"
    assert pair.here.title == "Here"


def test_roots_follow_in_order_but_for_those_changed_here(pair: Pair) -> None:
    pair.here.add_root(Div(name="here"))
    pair.here.remove_root(pair.model("div"))
    pair.there.add_root(Div(name="there"))
    pair.renew()
    assert [root.name for root in pair.here.roots] == ["slider", "there", "here"]


def test_new_models_are_told_whole_and_once(pair: Pair) -> None:
    new = Div(name="new", text="b")
    pair.here.add_root(new)
    known, _ = pair.renew()
    (event,) = Stale(pair.said).events(pair.here, known)
    message = parsed(pair.mirror.late_patch("1", event, known)[2])["events"][0]
    assert (message["kind"], message["model"]["name"]) == ("RootAdded", "Div")
    assert new.id in known
    pair.said.clear()
    new.text = "c"
    message = parsed(pair.mirror.patch("2", pair.said[0])[2])["events"][0]
    assert message["model"] == {"id": new.id}


def test_a_failing_callback_does_not_stop_the_rest(pair: Pair) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        raise ValueError("of the caller")

    pair.model("slider").on_change("value", fail)
    pair.slider.value = 3
    pair.there.get_model_by_name("div").text = "z"  # type: ignore[union-attr]
    _, errors = pair.renew()
    assert [str(error) for error in errors] == ["of the caller"]
    assert pair.model("slider").value == 3
    assert pair.model("div").text == "z"


def test_whether_a_document_is_the_same_one(pair: Pair) -> None:
    def same() -> bool:
        return pair.mirror.is_state_of(pair.content(), Stale(pair.said))

    assert same()
    pair.slider.value = 5
    assert same()
    pair.there.add_root(Div())
    assert same()
    pair.here.add_root(Div())
    assert same()
    pair.there.clear()
    pair.there.add_root(Slider(start=0, end=9, value=1))
    assert not same()


def test_a_root_that_another_contains_is_the_same_too(pair: Pair) -> None:
    pair.there.get_model_by_name("div").tags = [pair.source, Div(name="inner")]  # type: ignore[union-attr]
    pair.there.add_root(pair.there.get_model_by_name("inner"))  # type: ignore[arg-type]
    pair.mirror.replace(pair.content(), ())
    assert pair.mirror.is_state_of(pair.content(), Stale())
    inner = pair.model("inner")
    pair.renew()
    assert pair.model("inner") is inner


def test_other_types_with_the_same_ids_are_another_document(pair: Pair) -> None:
    content = pair.content()
    for root in content["roots"]:
        root["name"] = "Button"
    assert not pair.mirror.is_state_of(content, Stale())


def test_a_model_that_is_not_known_here(pair: Pair) -> None:
    content = pair.content()
    content["roots"][0]["name"] = "no.such.Model"
    with pytest.raises(ClientError, match=r"no\.such\.Model"):
        pair.mirror.replace(content, ())


def test_detached_it_says_nothing(pair: Pair) -> None:
    document = pair.here
    pair.mirror.detach()
    pair.mirror.detach()
    document.title = "alone"
    assert pair.said == []


def test_a_push_says_it_all(pair: Pair) -> None:
    message = pair.mirror.push("p")
    assert parsed(message[0]) == {"msgid": "p", "msgtype": "PUSH-DOC"}
    doc = parsed(message[2])["doc"]
    buffers = [Buffer(parsed(message[index])["id"], message[index + 1]) for index in range(3, len(message), 2)]
    copy = Document.from_json(Serialized(doc, buffers))
    assert [root.name for root in copy.roots] == ["slider", "div"]


# -- what is stale


class Heard:
    """A document, and what it says of its changes."""

    def __init__(self) -> None:
        self.document = Document()
        self.slider = Slider(start=0, end=9, value=0)
        self.source = ColumnDataSource(data={"x": [0]})
        self.document.add_root(self.slider)
        self.document.add_root(Div(tags=[self.source]))
        self.known: set[str] = {model.id for model in self.document.models}
        self.events: list[Any] = []
        self.document.on_change(self.events.append)

    def told(self) -> list[Any]:
        return list(Stale(self.events).events(self.document, self.known))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def kinds(events: list[DocumentPatchedEvent]) -> list[str]:
    return [event.kind for event in events]


def test_many_values_become_the_last(heard: Heard) -> None:
    for value in range(1, 9):
        heard.slider.value = value
        heard.source.stream({"x": [value]})
    slider, source = heard.told()
    assert (slider.kind, slider.new) == ("ModelChanged", 8)
    assert source.kind == "ColumnDataChanged"
    assert list(heard.source.data["x"]) == list(range(9))


def test_it_stays_small(heard: Heard) -> None:
    stale = Stale()
    for value in range(1, 10):
        heard.slider.value = value
        heard.document.title = str(value)
    for event in heard.events:
        stale.note(event)
    assert len(stale) == 2
    assert stale.holds(heard.slider, "value")
    assert not stale.holds(heard.slider, "title")
    assert stale.holds_title


def test_roots_that_came_and_went(heard: Heard) -> None:
    new = Div()
    heard.document.add_root(new)
    heard.document.remove_root(heard.slider)
    stale = Stale(heard.events)
    assert stale.added_roots == [new]
    assert stale.removed_roots == [heard.slider]
    assert kinds(heard.told()) == ["RootAdded", "RootRemoved"]


def test_values_of_what_the_other_side_will_be_told_of_whole_are_not_told_again(heard: Heard) -> None:
    new = Slider(start=0, end=9, value=1)
    heard.document.add_root(new)
    new.value = 5
    assert kinds(heard.told()) == ["RootAdded"]


def test_values_of_what_has_left_are_not_told(heard: Heard) -> None:
    heard.slider.value = 3
    heard.document.remove_root(heard.slider)
    assert kinds(heard.told()) == ["RootRemoved"]


def test_what_is_later_counts(heard: Heard) -> None:
    heard.document.title = "first"
    first = Stale(heard.events)
    heard.document.title = "second"
    first.update(Stale(heard.events[1:]))
    (event,) = first.events(heard.document, heard.known)
    assert event.title == "second"  # type: ignore[attr-defined]


# -- the lock


def test_its_owner_may_take_it_again_and_others_wait() -> None:
    lock, order = DocumentLock(), []

    def other() -> None:
        assert not lock.held
        with lock:
            order.append("other")

    with lock:
        thread = threading.Thread(target=other)
        thread.start()
        with lock:
            assert lock.held
        assert lock.held
        thread.join(0.05)
        order.append("first")
    thread.join(10)
    assert order == ["first", "other"]
    assert not lock.held


def stream_event(pair: Pair, value: int) -> Any:
    return ColumnsStreamedEvent(pair.here, pair.model("source"), "data", {"x": [value]})


def test_a_change_that_another_thread_made_before_the_exchange_is_sent_whole(pair: Pair) -> None:
    """bokeh appends the rows first; before it tells of them, the whole data are sent, with them."""
    sent: list[Any] = []
    pair.renew()

    def stream() -> None:
        for value in (2, 3):
            pair.model("source").stream({"x": [value]})
        pair.model("slider").value = 5
        sent.extend(pair.said)

    thread = threading.Thread(target=stream)
    thread.start()
    thread.join()
    first, second, third = sent
    assert isinstance(first, ColumnDataChangedEvent)
    assert isinstance(second, ColumnsStreamedEvent)
    assert isinstance(third, ModelChangedEvent)


def test_what_the_thread_of_the_exchange_changes_is_sent_as_it_is(pair: Pair) -> None:
    pair.renew()
    pair.model("source").stream({"x": [2]})
    assert [type(event) for event in pair.said] == [ColumnsStreamedEvent]


def test_a_while_after_the_exchange_every_change_is_sent_as_it_is(pair: Pair) -> None:
    now_s, found = [100.0], []
    unsettled = Unsettled(lambda: now_s[0])
    unsettled.begin()
    now_s[0] += UNSETTLED_S + 1
    event = stream_event(pair, 2)
    thread = threading.Thread(target=lambda: found.append(unsettled.whole(event)))
    thread.start()
    thread.join()
    assert found == [event]
