from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bokeh.core.serialization import Buffer, Serializer

from hotshoe.wire import copied, to_json


def test_buffers_are_references_or_text() -> None:
    buffer = Buffer("b1", b"\x01\x02")  # type: ignore[arg-type]
    assert json.loads(to_json({"data": buffer})) == {"data": {"id": "b1"}}
    assert isinstance(json.loads(to_json({"data": buffer}, inline=True))["data"], str)


@pytest.mark.parametrize("value", [np.float64(1.5), 2**70, "\ud800", {"a": [None, True]}])
def test_what_json_can_say(value: Any) -> None:
    assert json.loads(to_json(value)) == value


def test_what_it_can_not() -> None:
    with pytest.raises(TypeError):
        to_json(object())


def test_copies_do_not_follow_the_array() -> None:
    array = np.arange(3, dtype=np.uint8)
    serializer = Serializer(deferred=True)
    serializer.encode(array)
    (pair,) = copied(serializer.buffers)
    array[:] = 9
    assert pair[1] == bytes([0, 1, 2])
