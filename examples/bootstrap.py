"""A long computation

A synchronous callback runs for a few seconds. Meanwhile the page shows its results so far, and no other user waits.
"""

import csv
from pathlib import Path

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import BoxAnnotation, Button, ColumnDataSource, Div, Progress
from bokeh.plotting import figure

BATCHES = 80
RESAMPLES = 5000
EDGES = np.linspace(43, 56, 66)

with (Path(__file__).parent / "data" / "penguins.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))

FLIPPER = np.array([float(r["flipper_length_mm"]) for r in rows])
MASS = np.array([float(r["body_mass_g"]) for r in rows])

random = np.random.default_rng()


def slopes(resamples: int) -> np.ndarray:
    """Grams per millimetre of flipper, fitted to as many random resamples of the penguins."""
    picks = random.integers(len(MASS), size=(resamples, len(MASS)))
    x, y = FLIPPER[picks], MASS[picks]
    x = x - x.mean(axis=1, keepdims=True)
    return (x * y).sum(axis=1) / (x * x).sum(axis=1)


def compute() -> None:
    start.disabled = True
    counts = np.zeros(len(EDGES) - 1)
    found = np.empty(0)
    for batch in range(1, BATCHES + 1):
        more = slopes(RESAMPLES)
        counts += np.histogram(more, EDGES)[0]
        found = np.append(found, more)
        source.data["count"] = counts.copy()
        progress.value = batch
        confidence.left, confidence.right = low, high = np.percentile(found, [2.5, 97.5])
        status.text = f"{found.size:,} resamples: {low:.2f} to {high:.2f} grams per millimetre"
    status.text = f"95 % confidence: <b>{low:.1f} to {high:.1f} grams per millimetre</b>"
    start.disabled = False


heading = Div(text="<h1>A long computation</h1>How much does a millimetre of flipper weigh, and how sure can we be?")
start = Button(label="Compute", button_type="primary", width=120)
progress = Progress(max=BATCHES, width=240, align="center")
status = Div(align="center")
source = ColumnDataSource({"left": EDGES[:-1], "right": EDGES[1:], "count": np.zeros(len(EDGES) - 1)})

plot = figure(
    height=440,
    sizing_mode="stretch_width",
    x_axis_label="slope, grams per millimetre of flipper",
    y_axis_label="resamples",
    x_range=(EDGES[0], EDGES[-1]),
    tools="",
    toolbar_location=None,
)
plot.quad(left="left", right="right", bottom=0, top="count", source=source, color="#2f6690", line_color="white")
plot.y_range.start = 0
confidence = BoxAnnotation(left=EDGES[0], right=EDGES[0], fill_color="#f2a541", fill_alpha=0.2, level="underlay")
plot.add_layout(confidence)

start.on_click(compute)

curdoc().theme = "light_minimal"
curdoc().title = "A long computation"
curdoc().add_root(
    column(
        heading,
        row(start, progress, status, spacing=16),
        plot,
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
