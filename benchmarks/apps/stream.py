"""Ten points streamed at 20 Hz; every point carries the time at which it was made (``CLOCK_MONOTONIC``)."""

import time

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

PERIOD_MS = 50
POINTS = 10

source = ColumnDataSource(data={"stamp": [], "y": []})
plot = figure(width=600, height=300)
plot.line("stamp", "y", source=source)


def tick() -> None:
    now = time.monotonic()
    source.stream({"stamp": [now] * POINTS, "y": [float(n) for n in range(POINTS)]}, rollover=200)


curdoc().add_root(plot)
curdoc().add_periodic_callback(tick, PERIOD_MS)
curdoc().title = "Stream"
