"""A wave, and a slider for it. ``?periods=3`` begins with three periods."""

import os

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.plotting import figure

doc = curdoc()
user = getattr(doc.session_context, "user", None)
name = getattr(user, "username", user) or "you"
asked = doc.session_context.request.arguments.get("periods", [b"2"])[0]

x = np.linspace(0, 1, 400)
source = ColumnDataSource({"x": x, "y": x})
periods = Slider(start=1, end=10, value=int(asked), title="Periods")
note = Div()


def draw(attr, old, new):
    source.data = {"x": x, "y": np.sin(2 * np.pi * periods.value * x)}
    note.text = f"{periods.value} periods for {name}, by process {os.getpid()}"


periods.on_change("value", draw)
draw("value", None, periods.value)

plot = figure(height=300, width=600, toolbar_location=None)
plot.line("x", "y", source=source, line_width=2)
doc.add_root(column(periods, plot, note))
doc.title = "Wave"
