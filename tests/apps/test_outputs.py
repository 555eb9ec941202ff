"""What the cells of a notebook show, if it adds nothing to its document itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.notebooks import notebook

from hotshoe.apps.loading import load

if TYPE_CHECKING:
    from tests.support.app_files import Build, Write


BOKEH = ("# About", "from bokeh.plotting import figure, show\nfrom bokeh.io import output_notebook\noutput_notebook()",
         "p = figure()\np.line([1], [2])", "show(p)", "1 + 1", "from bokeh.models import Div\nDiv(text='value')",
         "Div(text='silent');", "hidden = Div(text='assigned')", "p")


def test_layouts_of_bokeh_become_roots(write: Write, build: Build, caplog: pytest.LogCaptureFixture) -> None:
    document = build(load(write({"a.ipynb": notebook(*BOKEH)}) / "a.ipynb"))
    assert [type(root).__name__ for root in document.roots] == ["figure", "Div"]
    assert document.roots[1].text == "value"  # type: ignore[attr-defined]
    assert "show() does nothing" not in caplog.text


def test_what_a_notebook_adds_itself_stands_alone(write: Write, build: Build) -> None:
    source = notebook("# Title", "from bokeh.io import curdoc\nfrom bokeh.models import Div\nDiv(text='value')",
                      "curdoc().add_root(Div(text='added'))", "Div(text='more')")
    assert [root.text for root in build(load(write({"a.ipynb": source}) / "a.ipynb")).roots] == [  # type: ignore[attr-defined]
        "added"]


def test_lines_and_values_of_the_code_stay(write: Write, build: Build) -> None:
    source = notebook("'a docstring'", "def f(x):\n    return x / 0\n\nf(1)")
    with pytest.raises(ZeroDivisionError) as caught:
        build(load(write({"a.ipynb": source}) / "a.ipynb"))
    frames = [(frame.path, frame.lineno + 1) for frame in caught.traceback if "cell" in str(frame.path)]
    assert [line for _, line in frames] == [4, 2]
