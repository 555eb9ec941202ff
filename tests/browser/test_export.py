"""Pages of `hotshoe html` in a browser without a network: shown, and what is done in JavaScript works."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.command import hotshoe

pytestmark = pytest.mark.real

APP = """\
import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, CustomJS, Div, Slider
from bokeh.plotting import figure
slider, echo = Slider(start=0, end=9, value=1, title="n"), Div(text="1")
slider.js_on_change("value", CustomJS(args={"echo": echo}, code="echo.text = `${this.value}`"))
plot = figure(width=300, height=200)
plot.line("x", "y", source=ColumnDataSource({"x": np.arange(100.0), "y": np.arange(100.0)}))
for root in (slider, echo, plot):
    curdoc().add_root(root)
"""
PANEL = """\
import panel as pn
pn.extension()
slider = pn.widgets.IntSlider(value=4, end=9)
text = pn.widgets.StaticText(value="4")
slider.jslink(text, value="value")
pn.Column(slider, text, pn.widgets.Button(name="press")).servable(title="Pan")
"""


def export(folder: Path, source: str) -> str:
    (folder / "app.py").write_text(source)
    with hotshoe("html", "app.py", "--resources", "inline", cwd=folder) as command:
        assert command.finish() == 0, command.log
    return (folder / "app.html").as_uri()


def test_a_plot_and_a_slider(tab: Tab, tmp_path: Path) -> None:
    tab.open(export(tmp_path, APP))
    tab.wait('column("y").length == 100')
    tab.page.evaluate("Bokeh.documents[0].roots().find((m) => m.type == 'Slider').value = 7")
    tab.wait('model("Div").text == "7"')


def test_panel(tab: Tab, tmp_path: Path) -> None:
    tab.open(export(tmp_path, PANEL))
    tab.page.get_by_text("press").first.wait_for()
    tab.page.get_by_text("4", exact=True).first.wait_for()
    # The icon of Panel's page, and MathJax.
    elsewhere = ("https://cdn.holoviz.org/panel/", "https://cdn.jsdelivr.net/")
    tab.strangers = [url for url in tab.strangers if not url.startswith(elsewhere)]
