"""Sliders

Callbacks of every kind that the wire has to carry.
"""

from bokeh.io import curdoc
from bokeh.models import Button, ColumnDataSource, Div, Slider

document = curdoc()
plain = Slider(name="plain", start=0, end=100, value=1)
doubled = Slider(name="doubled", start=0, end=100, value=1)
clamped = Slider(name="clamped", start=0, end=100, value=1)
failing = Slider(name="failing", start=0, end=100, value=1)
echo = Div(name="echo", text="none")
source = ColumnDataSource(name="source", data={"x": [1], "y": [2]})
three = Button(name="three", label="three points")
document.title = "Sliders of a test"


def set_double(attr: str, old: int, new: int) -> None:
    echo.text = str(2 * new)


def clamp(attr: str, old: int, new: int) -> None:
    if new > 50:
        clamped.value = 50


def fail(attr: str, old: int, new: int) -> None:
    echo.text = "about to fail"
    raise ValueError("a secret of the app")


def three_points() -> None:
    source.data = {"x": [10, 20], "y": [1, 2]}
    source.stream({"x": [30], "y": [3]})


doubled.on_change("value", set_double)
clamped.on_change("value", clamp)
failing.on_change("value", fail)
three.on_click(three_points)
three.on_change("label", lambda attr, old, new: three_points())
for root in (plain, doubled, clamped, failing, echo, three):
    document.add_root(root)
document.add_root(Div(name="holder", text="", tags=[source]))
