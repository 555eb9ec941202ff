"""Spans of source: coloured where it is Python, whole whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hotshoe
from hotshoe.web.highlighting import highlight

FILES = sorted(Path(hotshoe.__file__).parent.rglob("*.py"))


def test_kinds() -> None:
    spans = highlight("# é\nclass A:\n    def f(self):\n        return 'x' + str(1.5)\n")
    assert [span for span in spans if span.kind] == [
        ("# é", "comment"), ("class", "keyword"), ("A", "name"), ("def", "keyword"), ("f", "name"),
        ("return", "keyword"), ("'x'", "string"), ("1.5", "number"),
    ]


@pytest.mark.parametrize("source", ["", "\n", "x = 'é", "def f(:\n  )", "a\x00b", "if x:\n  y\n z\n", "\fx = 1\f# y"])
def test_what_is_no_python_is_kept_as_it_is(source: str) -> None:
    assert "".join(span.text for span in highlight(source)) == source


def test_an_f_string_is_kept_whole() -> None:
    source = 'x = f"{{a}} {b!r:>{width}} {c}" + f\'{{\'\n'
    spans = highlight(source)
    assert "".join(span.text for span in spans) == source
    assert any(span.kind == "string" for span in spans)


@given(st.text(alphabet="ab \n\t'\"#(){}f\\é1.\r\x0c\u2028"))
def test_nothing_is_lost(source: str) -> None:
    assert "".join(span.text for span in highlight(source)) == source


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_our_own_files_are_coloured(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    spans = highlight(source)
    assert "".join(span.text for span in spans) == source
    assert any(span.kind == "string" for span in spans)
