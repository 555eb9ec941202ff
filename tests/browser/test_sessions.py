"""Sessions as viewers meet them: one that two share, callbacks that fail, apps that do not start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.running_server import Server
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

SHARED = """
import sys
import time
from pathlib import Path

from bokeh.io import curdoc
from bokeh.models import Button, ColumnDataSource, Div, Slider
from bokeh.plotting import figure

source = ColumnDataSource({"x": [1.0, 2.0]})
slider = Slider(start=0, end=100, value=1, title="s")
echo = Div(text="value 1")
three = Button(label="three points")
plot = figure(width=300, height=200)
plot.scatter("x", "x", source=source, size=10)


def change(attr, old, new):
    echo.text = f"value {new}"


def make_three():
    source.data = {"x": [10, 20]}
    source.stream({"x": [30]})


def sleep():
    end = time.monotonic() + 60
    while time.monotonic() < end and not Path(__file__).with_name("wake").exists():
        time.sleep(0.01)


slider.on_change("value", change)
three.on_click(make_three)
failing, leaving, sleeping = Button(label="fail"), Button(label="leave"), Button(label="sleep")
failing.on_click(lambda: 1 / 0)
leaving.on_click(lambda: sys.exit(3))
sleeping.on_click(sleep)
for root in (slider, echo, three, failing, leaving, sleeping, plot):
    curdoc().add_root(root)
"""

BROKEN = """
from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div(text="half of it"))
raise RuntimeError("<b>a secret of the app</b>")
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "shared.py").write_text(SHARED)
    (tmp_path / "broken.py").write_text(BROKEN)
    with serve(tmp_path / "shared.py", tmp_path / "broken.py", flags=("--session-ids", "unsigned")) as server:
        yield server


def press(tab: Tab, name: str) -> None:
    tab.page.get_by_role("button", name=name).click()


def test_two_viewers_of_one_session_see_the_same(server: Server, new_tab: Callable[[], Tab]) -> None:
    first, second = new_tab(), new_tab()
    for tab in (first, second):
        tab.open(server.urls["shared"] + "?bokeh-session-id=one")
    first.do("model('Slider').value = 42")
    for tab in (first, second):
        tab.wait_for_text("value 42")
        tab.wait("model('Slider').value === 42")
    press(second, "three points")
    for tab in (first, second):
        tab.wait("column('x').length > 2")
        assert tab.ask("[...column('x')]") == [10, 20, 30]
    late = new_tab()
    late.open(server.urls["shared"] + "?bokeh-session-id=one")
    late.wait_for_text("value 42")
    assert late.ask("[...column('x')]") == [10, 20, 30]


def test_a_session_outlives_its_failing_callbacks(server: Server, tab: Tab) -> None:
    server.errors_expected = True
    tab.open(server.urls["shared"])
    press(tab, "fail")
    tab.wait_here(lambda: "ZeroDivisionError" in server.log)
    press(tab, "leave")
    tab.do("model('Slider').value = 7")
    tab.wait_for_text("value 7")
    assert all("Unhandled ERROR reply" in problem for problem in tab.problems), tab.problems
    tab.problems.clear()


def test_a_sleeping_session_delays_nobody_else(server: Server, new_tab: Callable[[], Tab], tmp_path: Path) -> None:
    sleeper, other = new_tab(), new_tab()
    for tab in (sleeper, other):
        tab.open(server.urls["shared"])
    press(sleeper, "sleep")
    sleeper.do("model('Slider').value = 5")
    other.do("model('Slider').value = 6")
    other.wait_for_text("value 6")
    third = new_tab()
    third.open(server.urls["shared"])
    third.wait_for_text("value 1")
    assert sleeper.page.get_by_text("value 5").count() == 0
    (tmp_path / "wake").touch()
    sleeper.wait_for_text("value 5")


def test_an_app_that_fails_says_so(server: Server, tab: Tab) -> None:
    server.errors_expected = True
    tab.page.goto(server.urls["broken"])
    assert tab.problems
    assert all("500" in problem for problem in tab.problems)
    tab.problems.clear()
    body = tab.page.locator("body").inner_text()
    assert "secret" not in body
    assert "half of it" not in body
    assert "RuntimeError" in server.log
    shown = [word.strip(".,()") for word in body.split()]
    ids = [word for word in shown if len(word) == 8 and all(letter in "0123456789abcdef" for letter in word)]
    assert len(ids) == 1
    assert ids[0] in server.log
