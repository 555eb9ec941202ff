"""Panel apps: widgets and bound functions, `onload`, periodic callbacks, arguments, templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.needs import need_module
from tests.support.running_server import Server
from tests.support.server_process import serve

pytestmark = pytest.mark.real

WIDGETS = """
import panel as pn

pn.extension()

slider = pn.widgets.IntSlider(name="n", start=0, end=10, value=3)
button = pn.widgets.Button(name="press")
pressed = pn.widgets.StaticText(name="pressed", value="0")
loaded = pn.widgets.StaticText(name="loaded", value="no")
ticks = pn.widgets.StaticText(name="ticks", value="0")
word = pn.state.session_args.get("word", [b"none"])[0].decode()


def press(event):
    pressed.value = str(int(pressed.value) + 1)


async def onload():
    loaded.value = "yes"


def tick():
    ticks.value = str(int(ticks.value) + 1)


button.on_click(press)
pn.state.onload(onload)
pn.state.add_periodic_callback(tick, 100)
pn.Column(
    slider,
    pn.bind(lambda n: f"the square is {n * n}", slider),
    button,
    pressed,
    loaded,
    ticks,
    f"the word is {word}",
).servable(title="Widgets of Panel")
"""

TEMPLATE = """
import panel as pn

slider = pn.widgets.FloatSlider(name="x", start=0, end=10, value=2)
template = pn.template.FastListTemplate(title="A template", sidebar=[slider])
template.main.append(pn.bind(lambda x: f"twice is {2 * x:g}", slider))
template.servable()
"""

EXTENSION_TEMPLATE = """
import panel as pn

pn.extension(template="material")
slider = pn.widgets.IntSlider(name="x", start=0, end=10, value=2).servable(target="sidebar")
pn.Row(pn.bind(lambda x: f"thrice is {3 * x}", slider)).servable(title="Material")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need_module("panel")
    folder = tmp_path_factory.mktemp("apps")
    apps = {"widgets": WIDGETS, "template": TEMPLATE, "material": EXTENSION_TEMPLATE}
    for name, text in apps.items():
        (folder / f"{name}.py").write_text(text)
    with serve(*(Path(folder / f"{name}.py") for name in apps)) as server:
        yield server


def allow_fonts(tab: Tab) -> None:
    """Panel's templates name fonts and icons of other sites; all else must be served here."""
    decoration = re.compile(r"https://(fonts\.|cdn\.jsdelivr\.net/npm/material)")
    tab.strangers = [url for url in tab.strangers if not decoration.match(url)]


def test_widgets_bound_functions_and_arguments(server: Server, tab: Tab) -> None:
    tab.open(server.urls["widgets"] + "?word=fish")
    tab.wait_for_text("the square is 9")
    tab.wait_for_text("the word is fish")
    tab.drag(tab.page.locator(".noUi-handle"), dx=60)
    tab.page.get_by_text("the square is 9").wait_for(state="detached")
    value = tab.ask("model('Slider').value")
    assert value > 3
    tab.wait_for_text(f"the square is {value**2}")
    tab.page.get_by_role("button", name="press").click()
    tab.page.get_by_role("button", name="press").click()
    tab.page.get_by_text("pressed: 2").wait_for()
    assert tab.page.title() == "Widgets of Panel"


def test_onload_and_periodic_callbacks(server: Server, tab: Tab) -> None:
    tab.open(server.urls["widgets"])
    tab.page.get_by_text("loaded: yes").wait_for()
    tab.page.get_by_text("ticks: 5").wait_for()


def test_a_template(server: Server, tab: Tab) -> None:
    tab.open(server.urls["template"])
    tab.wait_for_text("twice is 4")
    assert tab.page.title() == "A template"
    tab.do("model('Slider').value = 3.5")
    tab.wait_for_text("twice is 7")
    allow_fonts(tab)


def test_a_template_of_the_extension(server: Server, tab: Tab) -> None:
    tab.open(server.urls["material"])
    tab.wait_for_text("thrice is 6")
    tab.do("model('Slider').value = 5")
    tab.wait_for_text("thrice is 15")
    allow_fonts(tab)
