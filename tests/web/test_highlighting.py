"""Spans of source: coloured by Pygments where that is installed, whole whatever it is."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.web.own_pages import Span, highlight


def test_kinds() -> None:
    spans = highlight("# é\nclass A:\n    def f(self):\n        return 'x' + str(1.5)\n")
    kinds = {span.text: span.kind for span in spans if span.kind}
    assert kinds == {"# é": "comment", "class": "keyword", "A": "name", "def": "keyword", "f": "name",
                     "return": "keyword", "'": "string", "x": "string", "1.5": "number"}


def test_without_pygments_there_are_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygments.token", None)
    assert highlight("x = 1") == [Span("x = 1")]


@given(st.text(alphabet="ab \n\t'\"#(){}f\\\\é1.\r\x0c\u2028"))
def test_nothing_is_lost(source: str) -> None:
    assert "".join(span.text for span in highlight(source)) == source
