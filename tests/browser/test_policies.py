"""Content security policies, in Chromium: what must go on working, and what a strict one ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

APP = """
from bokeh.io import curdoc
from bokeh.models import Button, ColumnDataSource, CustomJS, DataTable, Div, Slider, TableColumn
from bokeh.plotting import figure

doc = curdoc()
told = Div(text="nothing yet")
slider = Slider(start=0, end=10, value=1, title="n")
slider.on_change("value", lambda attr, old, new: setattr(told, "text", f"n is {new}"))
more = Button(label="more")
script = Button(label="script")
script.js_on_click(CustomJS(args={"told": told}, code="told.text = 'from CustomJS'"))


def add_table():
    source = ColumnDataSource({"a": ["cell one", "cell two"]})
    doc.add_root(DataTable(source=source, columns=[TableColumn(field="a", title="A")]))


more.on_click(add_table)
plot = figure(height=200, output_backend="webgl")
plot.scatter([1, 2, 3], [3, 1, 2])
for root in (told, slider, more, script, plot):
    doc.add_root(root)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def use(tab: Tab, url: str) -> None:
    """Open the app, and do all that must work under any policy: callbacks, bundles that are loaded late, WebGL."""
    tab.open(url)
    tab.do('model("Slider").value = 7')
    tab.wait_for_text("n is 7")
    tab.page.get_by_role("button", name="more").click()
    tab.wait_for_text("cell two")
    tab.assert_painted()


@pytest.mark.parametrize("flags", [(), ("--csp",)], ids=["none", "csp"])
def test_everything_works(app: Path, tab: Tab, flags: tuple[str, ...]) -> None:
    with serve(app, flags=flags) as server:
        use(tab, server.urls["app"])
        tab.page.get_by_role("button", name="script").click()
        tab.wait_for_text("from CustomJS")
        assert tab.problems == []


def test_a_strict_policy_ends_custom_code_and_nothing_else(app: Path, tab: Tab) -> None:
    with serve(app, flags=("--strict-csp",)) as server:
        use(tab, server.urls["app"])
        assert tab.problems == []
        tab.page.get_by_role("button", name="script").click()
        tab.do('model("Slider").value = 3')
        tab.wait_for_text("n is 3")  # the click came before it
        assert "unsafe-eval" in tab.problems.pop()


def test_a_script_that_got_into_the_page_does_not_run(tmp_path: Path, tab: Tab) -> None:
    app = tmp_path / "app"
    (app / "templates").mkdir(parents=True)
    (app / "main.py").write_text("from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
                                 "curdoc().add_root(Div(text='here'))\n")
    (app / "templates" / "index.html").write_text(
        "{% extends base %}{% block contents %}{{ super() }}"
        "<script>document.title = 'injected'</script>"
        "<script nonce='{{ csp_nonce }}'>document.body.dataset.own = 'ran'</script>{% endblock %}")
    with serve(app, flags=("--csp",)) as server:
        tab.open(server.urls["app"])
        tab.wait("document.body.dataset.own === 'ran'")
        assert tab.page.title() != "injected"
        assert "Content Security Policy" in tab.problems.pop()


def test_a_frame_is_refused_where_it_is_not_named(app: Path, tab: Tab) -> None:
    with serve(app, flags=("--frame-ancestors", "none")) as server:
        tab.page.route("**/outer", lambda route: route.fulfill(
            content_type="text/html", body=f"<iframe src='{server.urls['app']}'></iframe>"))
        with tab.page.expect_event("console", lambda message: "frame-ancestors" in message.text):
            tab.page.goto(f"{server.root}outer")
        tab.problems.clear()
