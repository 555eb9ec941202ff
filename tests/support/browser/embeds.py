"""What the tests of embedding share: apps, a server of them, and what a page shows of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator
from tests.support.browser.tab import TIMEOUT_MS, Tab

from hotshoe.pages.assets import component_script
from hotshoe.server.server import Server

SLIDERS = """
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div, Slider
from bokeh.plotting import figure

request = curdoc().session_context.request
given = {name: [value.decode() for value in values] for name, values in request.arguments.items()}
slider = Slider(start=0, end=9, value=3, title="s")
echo = Div(text=f"a={given.get('a')} x={request.headers.get('X-Of-Page')} c={request.cookies.get('c')}", name="echo")
slider.on_change("value", lambda attr, old, new: echo.update(text=f"value {new}"))
plot = figure(height=200, sizing_mode="stretch_width")
plot.line([1, 2, 3], [3, 1, 2])
curdoc().add_root(column(slider, echo, plot, sizing_mode="stretch_width"))
"""
FILLING = """
from bokeh.io import curdoc
from bokeh.plotting import figure

plot = figure(sizing_mode="stretch_both")
plot.line([1, 2, 3], [3, 1, 2])
curdoc().add_root(plot)
"""
TWO_ROOTS = """
from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div(text="first root"))
curdoc().add_root(Div(text="second root"))
"""
AUTOLOAD = re.compile(r"/autoload\.js\?")
BROKEN = "raise RuntimeError('a secret of the app')"


@contextmanager
def running(folder: Path, *origins: str, **settings: Any) -> Iterator[Server]:
    """A server of the folder's apps that lets pages of these origins in."""
    hosts = tuple(origin.partition("//")[2] for origin in origins)
    server = Server([str(path) for path in sorted(folder.glob("*.py"))],
                    **{"port": 0, "allow_websocket_origin": hosts, **settings})
    with server:
        yield server


def at(server: Server, name: str = "sliders") -> str:
    return f"http://localhost:{server.port}/{name}"


def apps(tab: Tab) -> Locator:
    return tab.page.locator("bokeh-app")


def wait_for_alert(tab: Tab, text: str, number: int = 0) -> Locator:
    """The message that stands in the place of an app; ``problems`` is then as it should be."""
    alert = tab.page.get_by_role("alert").filter(has_text=text).nth(number)
    alert.wait_for()
    tab.problems.clear()
    return alert


def assert_works(tab: Tab) -> None:
    """A slider moves what the server makes of it."""
    tab.wait_until_drawn()
    tab.do("model('Slider').value = 7")
    tab.wait_for_text("value 7")
    tab.assert_painted()


def loads_of_bokehjs(tab: Tab) -> int:
    urls: list[str] = tab.ask("performance.getEntriesByType('resource').map((entry) => entry.name)")
    return sum("/bokeh.min.js" in url for url in urls)


def until_connections(server: Server, number: int, tab: Tab) -> None:
    for _ in range(TIMEOUT_MS // 50):
        if server.statistics().connections == number:
            return
        tab.page.wait_for_timeout(50)
    raise AssertionError(server.statistics())


def serve_component(tab: Tab) -> None:
    """Have the element's script come from elsewhere than the server."""
    asset = component_script()
    tab.page.route("**/embed.js", lambda route: route.fulfill(body=asset.body, content_type=asset.content_type))
