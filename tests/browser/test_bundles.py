"""A page loads the BokehJS that its document needs, and what a callback needs later before its patch is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.running_server import Server
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

LATER = """
from bokeh.io import curdoc
from bokeh.models import Button, ColumnDataSource, DataTable, Div, TableColumn
from bokeh.plotting import figure

button = Button(label="add")
source = ColumnDataSource({"a": ["one", "two", "three"]})
below = Div(text="nothing yet")


def add():
    below.text = "before the table"
    table = DataTable(source=source, columns=[TableColumn(field="a", title="A")], width=300, height=150)
    curdoc().add_root(table)
    source.stream({"a": ["four"]})
    below.text = "after the table"


def add_gl():
    plot = figure(width=300, height=150, output_backend="webgl")
    plot.scatter([1, 2, 3], [1, 2, 3], size=20)
    curdoc().add_root(plot)
    below.text = "after the plot"


def add_math():
    curdoc().add_root(Div(text=r"$$\\sin(x)$$"))
    below.text = "after the formula"


button.on_click(add)
gl = Button(label="webgl")
gl.on_click(add_gl)
math = Button(label="math")
math.on_click(add_math)
for root in (button, gl, math, below):
    curdoc().add_root(root)
"""

PLAIN = """
from bokeh.io import curdoc
from bokeh.plotting import figure

plot = figure(width=300, height=200)
plot.line([1, 2, 3], [1, 3, 2])
curdoc().add_root(plot)


def add_widgets():
    from bokeh.models import Slider

    curdoc().add_root(Slider(start=0, end=10, value=3, title="late slider"))


curdoc().add_timeout_callback(add_widgets, 700)
"""

SCRIPTED = """
from bokeh.io import curdoc
from bokeh.models import CustomJS
from bokeh.plotting import figure

MAKE = "window.%s = new (Bokeh.Models.get('%s'))({}).type"
plot = figure(width=200, height=200)
plot.line([1, 2], [3, 4])
late = CustomJS(code="window.second = 'nothing'")
curdoc().js_on_event("document_ready", CustomJS(code=MAKE % ("first", "Button")))
plot.js_on_change("width", late)
curdoc().add_root(plot)


def change():
    late.code = MAKE % ("second", "TableColumn")


curdoc().add_timeout_callback(change, 500)
"""

HIDDEN = """
from bokeh.io import curdoc
from bokeh.models import CustomJS
from bokeh.plotting import figure

curdoc().add_root(figure(width=200, height=200))
curdoc().js_on_event("document_ready", CustomJS(code="window.made = String(Bokeh.Models.get(['Sli', 'der'].join('')))"))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("apps")
    apps = {"later": LATER, "plain": PLAIN, "scripted": SCRIPTED, "hidden": HIDDEN}
    for name, text in apps.items():
        (folder / f"{name}.py").write_text(text)
    with serve(*(Path(folder / f"{name}.py") for name in apps)) as server:
        yield server


def test_a_table_that_a_callback_adds(server: Server, tab: Tab) -> None:
    tab.open(server.urls["later"])
    assert tab.loaded("bokeh-widgets")
    assert not tab.loaded("bokeh-tables")
    tab.page.get_by_role("button", name="add").click()
    tab.wait_for_text("after the table")
    assert tab.loaded("bokeh-tables")
    tab.wait_for_text("four")
    assert tab.ask("[...column('a')]") == ["one", "two", "three", "four"]


def test_two_clicks_and_two_viewers_load_in_order(server: Server, new_tab: Callable[[], Tab]) -> None:
    for tab in (new_tab(), new_tab()):
        tab.open(server.urls["later"])
        tab.page.get_by_role("button", name="add").click()
        tab.page.get_by_role("button", name="math").click()
        tab.page.get_by_role("button", name="add").click()
        tab.wait("models('DataTable').length === 2 && column('a').length === 5")
        tab.page.locator("mjx-container").first.wait_for()


def test_webgl_and_formulas_that_callbacks_add(server: Server, tab: Tab) -> None:
    tab.open(server.urls["later"])
    assert not tab.loaded("bokeh-gl")
    assert not tab.loaded("bokeh-mathjax")
    tab.page.get_by_role("button", name="webgl").click()
    tab.wait_for_text("after the plot")
    assert tab.loaded("bokeh-gl")
    tab.page.get_by_role("button", name="math").click()
    tab.wait_for_text("after the formula")
    assert tab.loaded("bokeh-mathjax")
    tab.page.locator("mjx-container").wait_for()


def test_widgets_for_a_plain_plot(server: Server, tab: Tab) -> None:
    tab.open(server.urls["plain"])
    tab.assert_painted()
    tab.wait_for_text("late slider")
    assert tab.loaded("bokeh-widgets")


def test_models_that_javascript_makes(server: Server, tab: Tab) -> None:
    tab.open(server.urls["scripted"])
    tab.wait("window.first === 'Button'")
    tab.wait("models('CustomJS').some((each) => each.code.includes('TableColumn'))")
    tab.do("void models('CustomJS')[0].execute(null)")
    tab.wait("window.second === 'TableColumn'")
    assert tab.loaded("bokeh-tables")
    assert not tab.loaded("bokeh-mathjax")


def test_the_console_names_a_bundle_that_no_one_could_find(server: Server, tab: Tab) -> None:
    tab.open(server.urls["hidden"])
    tab.wait("window.made === 'null'")
    [problem] = tab.problems
    assert "Slider is in BokehJS's bundle bokeh-widgets" in problem
    assert "--all-bundles" in problem
    tab.problems.clear()
