"""Apps in a real JupyterLab, in a real browser: at a root, below a hub's path and behind nginx, and without a proxy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FrameLocator, expect
from tests.support.jupyter import REMOTE, TIMEOUT_MS, Lab, NotebookTab
from tests.support.ports import wait_until_closed

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]

IMPORTS = """\
from bokeh.layouts import column, row
from bokeh.models import Button, Div, Slider
from hotshoe.notebook import kernel, show
"""
APP = IMPORTS + """\
factor = 10
def app(doc):
    slider, result = Slider(start=0, end=9, value=1, title="n"), Div(text="result 1")
    def multiply(attr, old, new):
        print("printed", new)
        result.text = f"result {new * factor}"
    slider.on_change("value", multiply)
    doc.add_root(column(slider, result))
show(app)
"""
STATE = """\
servers = kernel.cells().servers
print("state", [sum(s.statistics().sessions.values()) for s in servers], [s.statistics().connections for s in servers],
      [s.port for s in servers])
"""
UNTIL_ONE_CONNECTION = """\
import time
while [s.statistics().connections for s in kernel.cells().servers] != [1]: time.sleep(0.05)
"""


def move_slider(app: FrameLocator) -> None:
    """One step to the right."""
    handle = app.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")


def expect_text(app: FrameLocator, text: str) -> None:
    app.get_by_text(text).wait_for(timeout=TIMEOUT_MS)


def state_of(tab: NotebookTab, cell: int) -> list[list[int]]:
    """Sessions, connections and port of each server, as the cell with ``STATE`` printed them."""
    tab.wait_for_text(cell, "state")
    words = tab.output(cell).filter(has_text="state").first.inner_text()
    return [[int(number) for number in part.split(",") if number] for part in re.findall(r"\[([\d, ]*)\]", words)]


def test_a_callback_runs_in_the_kernel(lab: Lab, tab: NotebookTab) -> None:
    tab.open(lab.url + lab.notebook("callback.ipynb", [APP, "factor = 100", "print('last')"]))
    tab.run_all()
    tab.wait_for_text(2, "last")
    app = tab.app(0)
    expect_text(app, "result 1")
    move_slider(app)
    expect_text(app, "result 200")  # a function sees the notebook's variables as they are
    tab.wait_for_text(0, "printed 2")  # where the app is, not where the last cell is
    assert tab.hosts == {urlsplit(lab.url).netloc}


def test_only_the_port_of_nginx_is_used(hub: tuple[Lab, str], tab: NotebookTab) -> None:
    lab, own = hub
    address = own.replace("127.0.0.1", REMOTE)  # the kernel's server hears of this name, which it can't know
    tab.open(address + lab.notebook("hub.ipynb", [APP]))
    tab.run_all()
    expect_text(tab.app(0), "result 1")
    move_slider(tab.app(0))
    expect_text(tab.app(0), "result 20")
    assert tab.hosts == {urlsplit(address).netloc}
    sockets = [url for url in tab.sockets if "/proxy/" in url]
    assert sockets
    assert all(urlsplit(url).path.startswith("/user/alice/proxy/") for url in sockets)


def test_it_runs_while_the_kernel_is_busy(lab: Lab, tab: NotebookTab, tmp_path: Path) -> None:
    end = tmp_path / "end"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(end)!r}).exists(): time.sleep(0.05)\nprint('done')"
    tab.open(lab.url + lab.notebook("busy.ipynb", [APP, wait]))
    tab.run_all()
    expect_text(tab.app(0), "result 1")
    move_slider(tab.app(0))
    expect_text(tab.app(0), "result 20")
    assert "done" not in "".join(tab.output(1).all_inner_texts())
    end.touch()
    tab.wait_for_text(1, "done")


def test_a_cell_that_runs_again_has_one_app(lab: Lab, tab: NotebookTab) -> None:
    tab.open(lab.url + lab.notebook("again.ipynb", [APP, UNTIL_ONE_CONNECTION + STATE, "%%capture\n1"]))
    tab.run_all()
    expect_text(tab.app(0), "result 1")
    sessions, connections, ports = state_of(tab, 1)
    assert (sessions, connections) == ([1], [1])

    tab.set_code(0, APP.replace("result 1", "other 1"))
    tab.run_cell(0)
    expect_text(tab.app(0), "other 1")
    move_slider(tab.app(0))
    expect_text(tab.app(0), "result 20")
    tab.do("notebook:clear-all-cell-outputs")  # closes the socket of what it showed
    tab.set_code(1, UNTIL_ONE_CONNECTION.replace("[1]", "[0]") + STATE)
    tab.run_cell(1)
    _, connections, again = state_of(tab, 1)
    assert connections == [0]
    assert again == ports  # the same address: browsers have BokehJS from there already

    tab.set_code(0, "print('no app')")
    tab.run_cell(0)
    tab.wait_for_text(0, "no app")
    wait_until_closed(ports[0])


def test_apps_end_with_their_cell_and_their_kernel(lab: Lab, tab: NotebookTab) -> None:
    two = IMPORTS + "for name in 'ab': show(lambda doc, name=name: doc.add_root(Div(text=f'app {name}')))"
    tab.open(lab.url + lab.notebook("ends.ipynb", [APP, two, STATE]))
    tab.run_all()
    expect_text(tab.app(0), "result 1")
    for number, name in enumerate("ab"):
        frame = tab.cell(1).locator(".hotshoe-app iframe").nth(number).content_frame
        expect_text(frame, f"app {name}")
    _, _, ports = state_of(tab, 2)
    assert len(set(ports)) == 3

    tab.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
    tab.do("notebook:delete-cell")
    tab.page.wait_for_function("() => jupyterapp.shell.currentWidget.content.widgets.length === 2")
    tab.run_cell(1)
    wait_until_closed(ports[0])

    tab.do("notebook:restart-kernel")
    tab.page.get_by_role("button", name="Confirm Kernel Restart").click()
    for port in ports[1:]:
        wait_until_closed(port)
    tab.wait_for_kernel()
    tab.run_cell(0)
    expect_text(tab.cell(0).locator(".hotshoe-app iframe").nth(1).content_frame, "app b")


def test_a_notebook_that_is_loaded_again_finds_its_app(lab: Lab, tab: NotebookTab) -> None:
    tab.open(lab.url + lab.notebook("again-loaded.ipynb", [APP]))
    tab.run_all()
    expect_text(tab.app(0), "result 1")
    move_slider(tab.app(0))
    expect_text(tab.app(0), "result 20")
    tab.wait_for_text(0, "printed 2")
    tab.save()
    tab.page.reload()
    expect_text(tab.app(0), "result 20")
    tab.wait_for_kernel()

    tab.end_kernel()
    tab.page.reload()
    note = tab.cell(0).get_by_role("alert")
    expect(note).to_contain_text("run the cell again", timeout=TIMEOUT_MS)
    assert "pip install" not in note.inner_text()


def test_bokehs_own_show(lab: Lab, tab: NotebookTab) -> None:
    setup = IMPORTS + """\
from bokeh.io import output_notebook
from bokeh.io import show as show_bokeh
from bokeh.plotting import figure
from bokeh.resources import INLINE
%load_ext hotshoe
output_notebook(INLINE)
"""
    plot = "plot = figure(width=300, height=200); plot.scatter([1, 2], [3, 4])\nshow_bokeh(plot)"
    app = """\
def app(doc):
    plot, button = figure(width=300, height=200), Button(label="press")
    source = plot.scatter([1, 2], [3, 4]).data_source
    button.on_click(lambda: doc.add_root(Div(text="pressed")))
    doc.add_root(column(plot, button))
show_bokeh(app, notebook_url="http://other.test:1234", height=500)
"""
    tab.open(lab.url + lab.notebook("bokeh.ipynb", [setup, plot, app]))
    tab.run_all()
    tab.cell(1).locator(".bk-Figure").wait_for()
    tab.app(2).locator(".bk-Figure").wait_for()
    tab.app(2).get_by_role("button", name="press").click()
    expect_text(tab.app(2), "pressed")
    frame = tab.cell(2).locator(".hotshoe-app iframe")
    expect(frame).to_have_css("height", "500px")
    assert tab.page.evaluate("() => window.Bokeh.documents.length") == 1  # the app has a window of its own
    assert tab.hosts == {urlsplit(lab.url).netloc}


def test_what_an_app_raises_is_shown_in_the_cell(lab: Lab, tab: NotebookTab) -> None:
    broken = IMPORTS + "def broken(doc):\n    secret_number = 41\n    raise ValueError('no such thing')\nshow(broken)"
    fails = IMPORTS + """\
def fails(doc):
    button = Button(label="press")
    def press(): raise KeyError("not there")
    button.on_click(press)
    doc.add_root(button)
show(fails, height=600)
"""
    tab.open(lab.url + lab.notebook("raises.ipynb", [broken, fails, "show(1)"]))
    tab.run_all()
    tab.app(0).get_by_text("no such thing").first.wait_for()
    tab.app(0).get_by_text("secret_number").first.wait_for()
    tab.app(1).get_by_role("button", name="press").click()
    tab.app(1).get_by_text("KeyError: 'not there'").first.wait_for()
    tab.wait_for_text(2, "AppError")


def test_the_guide(lab: Lab, tab: NotebookTab) -> None:
    snippets = re.findall(r"(?ms)^```ipython\n(.*?)^```$", (ROOT / "docs/notebooks.md").read_text(encoding="utf-8"))
    assert len(snippets) == 1
    tab.open(lab.url + lab.notebook("guide.ipynb", snippets))
    tab.run_all()
    expect_text(tab.app(0), "total: 3")
    move_slider(tab.app(0))
    expect_text(tab.app(0), "total: 6")


def test_the_example(lab: Lab, tab: NotebookTab) -> None:
    shutil.copytree(ROOT / "examples/notebook", lab.folder / "notebook")
    shutil.copytree(ROOT / "examples/data", lab.folder / "data")
    tab.open(lab.url + lab.path("notebook/mauna_loa.ipynb"))
    tab.run_all()
    app = tab.app(3)
    app.locator(".bk-Figure").wait_for()
    move_slider(app)
    app.get_by_text("Months: 2").wait_for()
    assert not tab.output(1).all_inner_texts()  # no error, no warning


def test_panel(lab: Lab, tab: NotebookTab) -> None:
    code = """\
import panel as pn
from hotshoe.notebook import show
def made():
    slider = pn.widgets.IntSlider(name="n", start=0, end=9, value=1)
    return pn.Column(slider, pn.bind(lambda n: f"result {n * 10}", slider))
show(made)
"""
    tab.open(lab.url + lab.notebook("panel.ipynb", [code, "show(made())"]))
    tab.run_all()
    for cell in (0, 1):
        expect_text(tab.app(cell), "result 10")
        move_slider(tab.app(cell))
        expect_text(tab.app(cell), "result 20")


def test_the_frame_is_as_tall_as_the_app(lab: Lab, tab: NotebookTab) -> None:
    grows = IMPORTS + """\
def grows(doc):
    button = Button(label="more")
    rows = column(Div(height=100, text="row"), button)
    button.on_click(lambda: setattr(rows, "children", [Div(height=700, text="tall"), *rows.children]))
    doc.add_root(rows)
show(grows)
"""
    fills = IMPORTS + """\
def fills(doc):
    doc.add_root(column(Div(text="fills"), sizing_mode="stretch_both"))
    doc.template = '{% block inner_contents %}{{ super() }}<hr style="margin: 20px">{% endblock %}'
show(fills)
"""
    tab.open(lab.url + lab.notebook("height.ipynb", [grows, fills]))
    tab.run_all()
    expect_text(tab.app(0), "row")
    tab.wait_for_height(0, lambda height: 100 <= height <= 250)
    tab.app(0).get_by_role("button", name="more").click()
    tab.wait_for_height(0, lambda height: 800 <= height <= 950)
    expect_text(tab.app(1), "fills")
    before = tab.wait_for_height(1, lambda height: height > 0)
    tab.page.wait_for_timeout(500)  # it must not grow while nothing happens; a frame that does, grows each few ms
    assert tab.wait_for_height(1, lambda height: height > 0) < before + 300


def test_without_a_proxy(bare_lab: Lab, tab: NotebookTab) -> None:
    path = bare_lab.notebook("bare.ipynb", [APP])
    tab.open(bare_lab.url + path)
    tab.run_all()
    expect_text(tab.app(0), "result 1")  # from the kernel's own port
    move_slider(tab.app(0))
    expect_text(tab.app(0), "result 20")


def test_without_a_proxy_elsewhere_it_says_what_to_install(bare_lab: Lab, tab: NotebookTab) -> None:
    path = bare_lab.notebook("elsewhere.ipynb", [APP])
    tab.open(bare_lab.url.replace("127.0.0.1", REMOTE) + path)
    tab.run_all()
    note = tab.cell(0).get_by_role("alert")
    expect(note).to_contain_text("pip install jupyter-server-proxy", timeout=TIMEOUT_MS)
    assert tab.hosts == {f"{REMOTE}:{bare_lab.port}"}
