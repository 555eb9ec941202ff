"""One plot of 100,000 points: 1.6 MB of arrays in the document."""

import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

POINTS = 100_000

random = np.random.default_rng(1)
source = ColumnDataSource(data={"x": random.normal(size=POINTS), "y": random.normal(size=POINTS)})
plot = figure(width=600, height=600, output_backend="webgl")
plot.scatter("x", "y", source=source, size=2, alpha=0.3)
curdoc().add_root(plot)
curdoc().title = "100,000 points"
