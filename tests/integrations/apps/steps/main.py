"""A slider, and a text that says its square, what was asked for, and the process."""

import os

from bokeh.io import curdoc
from bokeh.models import Column, Div, Slider

asked = curdoc().session_context.request.arguments.get("asked", [b"nothing"])[0].decode()
slider = Slider(start=0, end=100, value=1, title="Number", name="number")
text = Div()


def show(attr, old, new):
    text.text = f"square {new * new}, asked for {asked}, process {os.getpid()}"


slider.on_change("value", show)
show("value", 0, 1)
curdoc().add_root(Column(slider, text))
