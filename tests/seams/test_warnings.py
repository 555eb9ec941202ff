"""What bokeh logs and warns of when clients send nonsense comes a few times a minute, and is short."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Slider
from tests.support.cases import every_case

from hotshoe.base.logs import MOST
from hotshoe.seams import apply_patch
from hotshoe.seams.warnings import leave_out_warnings

TIMES = 100


def patch(document: Document, attr: str, new: Any) -> dict[str, Any]:
    return {"events": [{"kind": "ModelChanged", "model": {"id": document.roots[0].id}, "attr": attr, "new": new}]}


@pytest.fixture
def document() -> Document:
    document = Document()
    document.add_root(Slider(start=0, end=1, value=0, step=0.1))
    return document


def test_attributes_that_a_model_does_not_have(document: Document, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(TIMES):
        apply_patch(document, patch(document, f"no\n{number}" + "x" * 100_000, 1), [], None)
    assert len(caplog.messages) == MOST
    assert max(map(len, caplog.messages)) < 3000
    assert not any("\n" in message for message in caplog.messages)


def test_what_a_message_defines_twice(document: Document, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught, every_case() as case:
        leave_out_warnings()
        for number in range(TIMES):
            twice = {"type": "object", "name": "Slider", "id": f"t{number}",
                     "attributes": {"start": 0, "end": 1, "value": 0}}
            with case(number):
                apply_patch(document, patch(document, "tags", [twice, twice]), [], None)
    assert caught == []
    assert capfd.readouterr().err == ""
