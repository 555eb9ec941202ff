"""What a program that follows a session changes and hears."""

import time

from bokeh.io import curdoc
from bokeh.models import Button, ColumnDataSource, Div, Slider

document = curdoc()
context = document.session_context
arguments = {name: [value.decode() for value in values] for name, values in context.request.arguments.items()}
value = Slider(name="value", start=0, end=10_000, value=1)
other = Slider(name="other", start=0, end=10_000, value=1)
slow = Slider(name="slow", start=0, end=100, value=0)
failing = Slider(name="failing", start=0, end=100, value=0)
button = Button(name="button", label="press")
echo = Div(name="echo", text="none")
source = ColumnDataSource(name="source", data={"x": [], "y": []})
holder = Div(name="holder", text=repr(arguments), tags=[source])
document.title = "Followed"


def double(attr: str, old: int, new: int) -> None:
    echo.text = str(2 * new)


def sleep(attr: str, old: int, new: int) -> None:
    time.sleep(new)
    echo.text = f"slept {new}"


def fail(attr: str, old: int, new: int) -> None:
    raise ValueError("a secret of the app")


value.on_change("value", double)
slow.on_change("value", sleep)
failing.on_change("value", fail)
button.on_click(lambda: setattr(echo, "text", "clicked"))
for root in (value, other, slow, failing, button, echo, holder):
    document.add_root(root)
