"""Nine linked plots on one source of nine columns: a document of several hundred models."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, gridplot
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

POINTS = 200
PLOTS = 9

x = np.linspace(0, 4 * np.pi, POINTS)
names = [f"y{number}" for number in range(1, PLOTS)]
source = ColumnDataSource(data={"x": x, **{name: np.sin((n + 1) * x) for n, name in enumerate(names)}})

plots: list[figure] = []
for number in range(PLOTS):
    linked = {"x_range": plots[0].x_range, "y_range": plots[0].y_range} if plots else {}
    plot = figure(width=250, height=250, tools="pan,wheel_zoom,box_select,lasso_select,reset", **linked)
    plot.scatter("x", names[number % len(names)], source=source, size=4)
    plot.line("x", names[number % len(names)], source=source)
    plots.append(plot)

amplitude = Slider(title="amplitude", value=1.0, start=0.0, end=5.0, step=0.01)
frequency = Slider(title="frequency", value=1.0, start=0.1, end=5.1, step=0.01)


def redraw(_attr: str, _old: float, _new: float) -> None:
    waves = {name: amplitude.value * np.sin((n + frequency.value) * x) for n, name in enumerate(names)}
    source.data = {"x": x, **waves}


amplitude.on_change("value", redraw)
frequency.on_change("value", redraw)

rows = [plots[start : start + 3] for start in range(0, PLOTS, 3)]
curdoc().add_root(column(amplitude, frequency, gridplot(rows)))
curdoc().title = "Nine linked plots"
