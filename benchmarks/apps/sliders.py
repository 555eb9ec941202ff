"""One plot and five widgets: the shape of the example that everybody starts from."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Slider, TextInput
from bokeh.plotting import figure

POINTS = 200

x = np.linspace(0, 4 * np.pi, POINTS)
source = ColumnDataSource(data={"x": x, "y": np.sin(x)})

plot = figure(height=400, width=400, title="my sine wave", tools="crosshair,pan,reset,save,wheel_zoom",
              x_range=(0, 4 * np.pi), y_range=(-2.5, 2.5))
plot.line("x", "y", source=source, line_width=3, line_alpha=0.6)

title = TextInput(title="title", value="my sine wave")
offset = Slider(title="offset", value=0.0, start=-5.0, end=5.0, step=0.1)
amplitude = Slider(title="amplitude", value=1.0, start=-5.0, end=5.0, step=0.1)
phase = Slider(title="phase", value=0.0, start=0.0, end=2 * np.pi)
frequency = Slider(title="frequency", value=1.0, start=0.1, end=5.1, step=0.1)


def rename(_attr: str, _old: str, new: str) -> None:
    plot.title.text = new


def redraw(_attr: str, _old: float, _new: float) -> None:
    wave = amplitude.value * np.sin(frequency.value * x + phase.value) + offset.value
    source.data = {"x": x, "y": wave}


title.on_change("value", rename)
for slider in (offset, amplitude, phase, frequency):
    slider.on_change("value", redraw)

curdoc().add_root(row(column(title, offset, amplitude, phase, frequency), plot, width=800))
curdoc().title = "Sliders"
