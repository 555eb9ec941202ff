"""What clients send is decoded within limits: all that is accepted can be pulled."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from bokeh.core.serialization import DeserializationError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Row
from bokeh.models.widgets import Div, Slider
from tests.support.cases import every_case

from hotshoe import seams, wire
from hotshoe.config.limit_table import LIMITS
from hotshoe.seams.decoding import DTYPES
from hotshoe.sessions.snapshots import encode_document
from hotshoe.wire import Incoming

GZIPPED = base64.b64encode(gzip.compress(b"abc")).decode()


class Shared:
    """A document that others pull."""

    def __init__(self) -> None:
        self.document = Document()
        self.div, self.slider, self.row = Div(), Slider(start=0, end=10, value=1), Row()
        self.source = ColumnDataSource(data={"x": [1, 2, 3]})
        for root in (self.div, self.slider, self.row, self.source):
            self.document.add_root(root)

    def apply(self, *events: Any, buffers: tuple[tuple[str, bytes], ...] = ()) -> None:
        content = events[0] if len(events) == 1 and isinstance(events[0], str) else json.dumps({"events": events})
        message = Incoming("1", "PATCH-DOC", content.encode(), buffers)
        seams.apply_patch(self.document, wire.decode_content(message), buffers, object())

    def tag(self, value: Any, buffers: tuple[tuple[str, bytes], ...] = ()) -> None:
        self.apply({"kind": "ModelChanged", "model": {"id": self.div.id}, "attr": "tags", "new": [value]},
                   buffers=buffers)

    def pull(self) -> Any:
        return json.loads(bytes(encode_document(self.document, inline=True).body[1]))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def rows(depth: int) -> Any:
    value: Any = {"type": "object", "name": "Div", "id": "inner"}
    for number in range(depth):
        value = {"type": "object", "name": "Row", "id": f"row{number}", "attributes": {"children": [value]}}
    return value


def ndarray(dtype: str, array: Any = (1,), shape: Any = (1,)) -> Any:
    return {"type": "ndarray", "array": array, "dtype": dtype, "shape": shape, "order": "little"}


def bomb(size: int) -> Any:
    return {"type": "bytes", "data": base64.b64encode(gzip.compress(bytes(size))).decode()}


REFUSED: dict[str, Any] = {
    "an integer of 400 digits": 10**400,
    "a negative one": -10**400,
    "one within a number": {"type": "number", "value": 10**400},
    "a list as a number": {"type": "number", "value": []},
    "a list nested 250 deep": nested(250),
    "objects nested 250 deep": json.loads('{"a":' * 250 + "1" + "}" * 250),
    "a reference to no model": {"id": "nope"},
    "a model without an id": {"type": "object", "name": "Div", "id": 5},
    "bytes that become too many": bomb(LIMITS.repeated_bytes + 1),
    "two that do so together": [bomb(LIMITS.repeated_bytes // 2 + 1)] * 2,
    "half a file": {"type": "bytes", "data": base64.b64encode(gzip.compress(b"abc")[:-6]).decode()},
    "several files": {"type": "bytes", "data": base64.b64encode(gzip.compress(b"abc") * 2).decode()},
    "a huge type": ndarray("U200000000", ["a"]),
    "complex numbers": ndarray("complex128"),
    "times that can't be sent": ndarray("M8[s]"),
    "a type within a type": ndarray("(1000,1000)f8"),
    "a shape that does not fit": ndarray("int32", shape=[2**40, 2**40]),
    "a huge integer in an array": ndarray("object", [10**400]),
}


def test_what_could_not_be_sent_again_is_refused() -> None:
    with every_case() as case:
        for name, value in REFUSED.items():
            with case(name):
                shared = Shared()
                before = shared.pull()
                with pytest.raises((ValueError, TypeError)):
                    shared.tag(value)
                assert shared.pull() == before


EVENTS_REFUSED = {
    "a title that is a model": {"kind": "TitleChanged", "title": {"id": "@slider"}},
    "a title that is a number": {"kind": "TitleChanged", "title": 5},
    "a model that lacks a value": {"kind": "RootAdded", "model": {"type": "object", "name": "CustomJS", "id": "z"}},
    "layouts nested 100 deep": {"kind": "RootAdded", "model": rows(100)},
}


@pytest.mark.parametrize("name", EVENTS_REFUSED)
def test_events_that_would_break_the_document_are_refused(name: str) -> None:
    shared = Shared()
    before = shared.pull()
    event = json.loads(json.dumps(EVENTS_REFUSED[name]).replace("@slider", shared.slider.id))
    first = {"kind": "ModelChanged", "model": {"id": shared.slider.id}, "attr": "value", "new": 5}
    with pytest.raises((ValueError, TypeError)):
        shared.apply(first, event)
    assert shared.pull() == before, "nothing of the message was applied"


def test_the_same_for_a_whole_document() -> None:
    shared = Shared()
    before = shared.pull()
    for changed in ({"title": 5}, {"config": 5}, {"roots": [{"type": "object", "name": "CustomJS", "id": "z"}]}):
        pushed = Shared().pull()["doc"] | changed
        with pytest.raises(ValueError, match=r"title|config|code"):
            seams.replace_document(shared.document, pushed, ())
        assert shared.pull() == before
    pushed = Shared().pull()["doc"] | {"title": "new"}
    seams.replace_document(shared.document, pushed, ())
    assert shared.document.title == "new"


ACCEPTED: dict[str, Any] = {
    "an integer of 300 digits": 10**300,
    "a list as deep as may be": nested(LIMITS.nesting - 5),
    "no number": {"type": "number", "value": "nan"},
    "half a character": "\ud800",
    "a zero character": {"\0": "\0"},
    "a slice": {"type": "slice", "start": 1, "stop": [2], "step": None},
    "a set": {"type": "set", "entries": [1, "a", None]},
    "a map": {"type": "map", "entries": [[1, 2], [None, 3]]},
    "bytes": {"type": "bytes", "data": GZIPPED},
    "an empty shape": ndarray("int32", 1, []),
    "nested arrays": ndarray("object", [ndarray("object", [[1], [2, 3]])]),
    "a model": {"type": "object", "name": "Div", "id": "z"},
    "layouts nested 60 deep": rows(60),
    "a cycle": [{"type": "object", "name": "Row", "id": "z", "attributes": {"tags": [{"id": "z"}]}}],
}


PRECISION = "ignore:out of range integer"


@pytest.mark.filterwarnings(PRECISION)
def test_all_else_can_be_pulled() -> None:
    with every_case() as case:
        for name, value in ACCEPTED.items():
            with case(name):
                shared = Shared()
                shared.tag(value)
                shared.pull()


@pytest.mark.filterwarnings(PRECISION)
@pytest.mark.parametrize("text", ["1e400", "-1e400", "NaN", "Infinity", "9" * 300])
def test_numbers_that_only_python_writes(text: str) -> None:
    shared = Shared()
    event = f'{{"kind":"ModelChanged","model":{{"id":"{shared.slider.id}"}},"attr":"value","new":{text}}}'
    shared.apply(f'{{"events":[{event}]}}')
    shared.pull()


@pytest.mark.parametrize("dtype", sorted(DTYPES - {"object"}))
def test_arrays_of_bokeh(dtype: str) -> None:
    array = np.ones(1000, dtype)
    shared = Shared()
    data = {"type": "map", "entries": [["x", ndarray(dtype, {"type": "bytes", "data": {"id": "b"}}, [1000])]]}
    shared.apply({"kind": "ModelChanged", "model": {"id": shared.source.id}, "attr": "data", "new": data},
                 buffers=(("b", array.tobytes()),))
    assert np.array_equal(shared.source.data["x"], array)
    shared.pull()


def test_a_buffer_may_be_as_large_as_the_message_but_not_be_used_again_and_again() -> None:
    shared = Shared()
    large = bytes(LIMITS.repeated_bytes + 1)
    buffer = {"type": "bytes", "data": {"id": "b"}}
    shared.tag(buffer, (("b", large),))
    with pytest.raises(DeserializationError, match="too large"):
        shared.tag([buffer, buffer], (("b", large),))


def test_a_bomb_takes_no_memory() -> None:
    shared = Shared()
    value = bomb(50 * LIMITS.repeated_bytes // 10)
    tracemalloc.start()
    try:
        with pytest.raises(DeserializationError, match="too large"):
            shared.tag(value)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * LIMITS.repeated_bytes
    finally:
        tracemalloc.stop()


def test_the_server_of_a_client_is_trusted() -> None:
    shared = Shared()
    value = {"events": [{"kind": "ModelChanged", "model": {"id": shared.div.id}, "attr": "tags",
                         "new": [bomb(LIMITS.repeated_bytes + 1)]}]}
    seams.apply_patch(shared.document, value, (), object(), trusted=True)
    assert len(shared.div.tags[0]) == LIMITS.repeated_bytes + 1


STEP = 12
"""Layouts in one message; none of them is nested too deeply in itself."""


def chain(number: int, inside: list[Any]) -> Any:
    """Layouts within each other: the outermost has the ``number``, the innermost contains ``inside``."""
    for part in range(STEP):
        name = f"row{number}" if part == STEP - 1 else f"row{number}-{part}"
        inside = [{"type": "object", "name": "Row", "id": name, "attributes": {"children": inside}}]
    return inside


def wrapped_from_outside(shared: Shared, number: int) -> Any:
    new = chain(number, [{"id": f"row{number - 1}"}] if number else [])
    return {"kind": "ModelChanged", "model": {"id": shared.row.id}, "attr": "children", "new": new}


def grown_inside(shared: Shared, number: int) -> Any:
    innermost = {"id": f"row{number - 1}-0" if number else shared.row.id}
    return {"kind": "ModelChanged", "model": innermost, "attr": "children", "new": chain(number, [])}


@pytest.mark.parametrize("grow", [wrapped_from_outside, grown_inside])
def test_models_that_are_nested_message_by_message(grow: Any) -> None:
    shared = Shared()
    number = 0
    with suppress(DeserializationError):
        while number < 40:
            shared.apply(grow(shared, number))
            number += 1
    assert 2 < number < 40
    assert f'"row{number - 1}"' in json.dumps(shared.pull()), "the last one that was accepted"
    assert shared.document.get_model_by_id(ID(f"row{number}")) is None
    shared.apply({"kind": "ModelChanged", "model": {"id": shared.slider.id}, "attr": "value", "new": 7})
    assert shared.slider.value == 7
