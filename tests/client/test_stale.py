from __future__ import annotations

from typing import Any

import pytest
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

from hotshoe.client.stale import Stale


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
