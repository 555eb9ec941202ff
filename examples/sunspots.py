"""Sunspots, with Panel

Three centuries of sunspots and their moving average: two Panel widgets, one bound function.
"""

import csv
from pathlib import Path

import numpy as np
import panel as pn
from bokeh.plotting import figure

pn.extension()

with (Path(__file__).parent / "data" / "sunspots.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))

YEAR = np.array([int(r["year"]) for r in rows])
SUNSPOTS = np.array([float(r["sunspots"]) for r in rows])


def view(years: tuple[int, int], window: int) -> figure:
    """The sunspots of `years`, and the mean of `window` years around each."""
    years_around = np.convolve(np.ones(len(YEAR)), np.ones(window), "same")
    mean = np.convolve(SUNSPOTS, np.ones(window), "same") / years_around
    plot = figure(height=420, sizing_mode="stretch_width", y_axis_label="sunspots", tools="", toolbar_location=None)
    plot.x_range.range_padding = 0
    shown = (years[0] <= YEAR) & (years[1] >= YEAR)
    plot.varea(YEAR[shown], 0, SUNSPOTS[shown], color="#f2a541", alpha=0.4)
    plot.line(YEAR[shown], mean[shown], color="#e4572e", line_width=2.5)
    return plot


years = pn.widgets.IntRangeSlider(name="Years", start=1700, end=2008, value=(1700, 2008))
window = pn.widgets.IntSlider(name="Mean over years", start=1, end=33, value=11, step=2)

pn.Column(
    pn.pane.Markdown("# Sunspots", disable_anchors=True),
    pn.Row(years, window),
    pn.bind(view, years, window),
    sizing_mode="stretch_width",
    max_width=960,
    styles={"margin": "24px auto", "padding": "0 16px"},
).servable(title="Sunspots, with Panel")
