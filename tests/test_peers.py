"""The table of what does not pass of other projects' tests: it is on the page, and finds what it names."""

from __future__ import annotations

from tests.peers.expected import BOKEH, PAGE, Shortfall, find, written


def test_the_page_has_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run `python -m tests.peers.expected`"


def test_a_test_is_found_by_its_name_its_beginning_and_its_version() -> None:
    exact, prefix = Shortfall("exact", ("test_a.py::test_one",)), Shortfall("prefix", ("test_a.py::test_t*",), "3.10")
    table = (exact, prefix)
    assert find(table, "test_a.py::test_one", "3.9.2") is exact
    assert find(table, "test_a.py::test_one[x]", "3.9.2") is None
    assert find(table, "test_a.py::test_two[x]", "3.10.0") is prefix
    assert find(table, "test_a.py::test_two[x]", "3.9.2") is None


def test_no_test_is_named_twice() -> None:
    names = [test for each in BOKEH for test in each.tests]
    assert len(names) == len(set(names))
