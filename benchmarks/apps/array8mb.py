"""Every event sends a new array of one million float64: 8 MB."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

POINTS = 1_000_000

arrays = [np.arange(POINTS, dtype=np.float64) + shift for shift in (0.25, 0.5)]
source = ColumnDataSource(data={"x": [0.0]})
slider = Slider(title="value", value=0.0, start=0.0, end=1.0, step=0.0001)
turn = 0


def exchange(_attr: str, _old: float, _new: float) -> None:
    global turn
    turn += 1
    source.data = {"x": arrays[turn % 2]}


slider.on_change("value", exchange)
plot = figure(width=300, height=300)
plot.line("x", "x", source=source)
curdoc().add_root(column(slider, plot))
curdoc().title = "8 MB"
