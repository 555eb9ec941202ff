"""Every extension of Panel's own table, without a network: a component of each is drawn, by files of this server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.browser.tab import Tab, tabs
from tests.support.needs import need_module
from tests.support.server_process import serve

pytestmark = pytest.mark.real

APP = """
import importlib.util

import numpy as np
import pandas as pd
import panel as pn
from panel.config import panel_extension

NEED = {"ipywidgets": "ipywidgets_bokeh", "plotly": "plotly", "deckgl": "pydeck"}
names = sorted(panel_extension._imports)
installed = [name for name in names if importlib.util.find_spec(NEED.get(name, "panel")) and name != "vizzu"]
pn.extension(*installed, "gridstack", "floatpanel")

frame = pd.DataFrame({"a": [1], "b": ["row"]})
box = {"width": 300, "height": 120}
makers = {
    "codeeditor": lambda: pn.widgets.CodeEditor(value="made = 'code'", **box),
    "bokeh-tables": lambda: pn.widgets.DataFrame(frame, **box),
    "deckgl": lambda: pn.pane.DeckGL({
        "initialViewState": {"longitude": 0, "latitude": 0, "zoom": 1}, "layers": [], "mapStyle": "",
        "views": [{"@@type": "MapView", "controller": True}]}, **box),
    "echarts": lambda: pn.pane.ECharts({"xAxis": {"data": ["a"]}, "yAxis": {}, "series": [
        {"type": "bar", "data": [1]}]}, **box),
    "filedropper": lambda: pn.widgets.FileDropper(**box),
    "jsoneditor": lambda: pn.widgets.JSONEditor(value={"made": "by jsoneditor"}, **box),
    "katex": lambda: pn.pane.LaTeX("$x$", renderer="katex", **box),
    "mathjax": lambda: pn.pane.LaTeX("$x$", renderer="mathjax", **box),
    "modal": lambda: pn.Modal("made by modal"),
    "perspective": lambda: pn.pane.Perspective(frame, width=600, height=120),
    "plotly": lambda: pn.pane.Plotly({"data": [], "layout": {"title": {"text": "made by plotly"}}}, **box),
    "tabulator": lambda: pn.widgets.Tabulator(frame, **box),
    "terminal": lambda: pn.widgets.Terminal("made by terminal", **box),
    "texteditor": lambda: pn.widgets.TextEditor(value="made by quill", **box),
    "vega": lambda: pn.pane.Vega({
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "mark": "bar",
        "data": {"values": [{"a": "x", "b": 2}]},
        "encoding": {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b", "type": "quantitative"}}}, **box),
    "vtk": lambda: pn.pane.VTKVolume(np.arange(64.0).reshape(4, 4, 4), **box),
    "gridstack": lambda: pn.layout.GridStack(**box),
    "floatpanel": lambda: pn.FloatPanel("made by floatpanel", contained=True, **box),
}
column = pn.Column("names: " + " ".join(names))
for name, make in makers.items():
    if importlib.util.find_spec(NEED.get(name, "panel")):
        item = make()
        item.css_classes = ["of-" + name]
        column.append(item)
column.servable()
"""

SIGNS = {
    "ace": ".of-codeeditor .ace_content",
    "codeeditor": ".of-codeeditor .ace_content",
    "bokeh-tables": ".of-bokeh-tables .slick-row",
    "deckgl": ".of-deckgl canvas",
    "echarts": ".of-echarts canvas",
    "filedropper": ".of-filedropper .filepond--root",
    "jsoneditor": ".of-jsoneditor .jsoneditor-tree",
    "katex": ".of-katex .katex",
    "mathjax": ".of-mathjax mjx-container",
    "modal": ".of-modal [data-a11y-dialog], .of-modal .dialog-container",
    "perspective": ".of-perspective perspective-viewer",
    "plotly": ".of-plotly .plot-container",
    "tabulator": ".of-tabulator .tabulator-row",
    "terminal": ".of-terminal .xterm-screen",
    "texteditor": ".of-texteditor .ql-editor",
    "vega": ".of-vega canvas, .of-vega svg",
    "vtk": ".of-vtk canvas",
    "gridstack": ".of-gridstack .grid-stack",
    "floatpanel": ".jsPanel",
}
"""What each draws."""
NEEDED = {"ipywidgets": "ipywidgets_bokeh", "plotly": "plotly", "deckgl": "pydeck"}
"""What is skipped without a package."""
ONLINE = {"vizzu"}
"""What loads its library from a CDN, with ``panel serve`` too: Panel does not bring it."""


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    need_module("panel")
    app = tmp_path_factory.mktemp("apps") / "extensions.py"
    app.write_text(APP)
    with serve(Path(app)) as server, tabs(chromium) as make:
        # Panel gives some libraries a few seconds to come. On a busy machine the first page is too slow for that.
        first = make()
        first.open(server.urls["extensions"])
        first.page.wait_for_function("!!customElements.get('perspective-viewer')", timeout=120_000)
        first.problems.clear()
        first.page.close()
        tab = make()
        tab.open(server.urls["extensions"])
        yield tab
        tab.problems = [problem for problem in tab.problems if "required to use Mapbox" not in problem]


@pytest.mark.parametrize("name", sorted(SIGNS))
def test_it_is_drawn(page: Tab, name: str) -> None:
    if name in NEEDED:
        need_module(NEEDED[name])
    page.page.locator(SIGNS[name]).first.wait_for(state="attached")


def test_none_is_left_out(page: Tab) -> None:
    names = page.page.get_by_text("names: ").first.inner_text().removeprefix("names: ").split()
    assert set(names) <= SIGNS.keys() | NEEDED.keys() | ONLINE
