"""Carbon dioxide on Mauna Loa

Zoom into 43 years of measurements. A table of the months in view appears when you ask for it.
"""

import csv
from pathlib import Path

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, DataTable, DateFormatter, Div, NumberFormatter, TableColumn, Toggle
from bokeh.plotting import figure

with (Path(__file__).parent / "data" / "co2.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))

MONTH = np.array([r["month"] for r in rows], "datetime64[ms]").astype(float)  # ms, as in the browser
PPM = np.array([float(r["co2_ppm"]) for r in rows])
YEAR_MEAN = np.convolve(PPM, np.ones(12) / 12, "valid")


def in_view() -> dict[str, np.ndarray]:
    """The months between the ends of the time axis."""
    shown = (plot.x_range.start <= MONTH) & (plot.x_range.end >= MONTH)
    return {"month": MONTH[shown], "ppm": PPM[shown]}


def show_table(attr: str, old: bool, active: bool) -> None:
    if not active:
        page.children = [heading, toggle, plot]
        return
    source.data = in_view()
    columns = [
        TableColumn(field="month", title="Month", formatter=DateFormatter(format="%B %Y")),
        TableColumn(field="ppm", title="CO₂, ppm", formatter=NumberFormatter(format="0.00")),
    ]
    table = DataTable(source=source, columns=columns, height=300, reorderable=False, sizing_mode="stretch_width")
    page.children = [heading, toggle, plot, table]


def move(attr: str, old: float, new: float) -> None:
    if toggle.active:
        source.data = in_view()


source = ColumnDataSource({"month": [], "ppm": []})
heading = Div(text="<h1>Carbon dioxide on Mauna Loa</h1>The hills are the seasons. Scroll to zoom, drag to move.")
toggle = Toggle(label="Show the months in view", width=200)

plot = figure(
    height=400,
    sizing_mode="stretch_width",
    x_axis_type="datetime",
    x_range=(MONTH[0], MONTH[-1]),
    y_axis_label="CO₂, ppm",
    tools="xpan,xwheel_zoom,reset",
    active_scroll="xwheel_zoom",
)
plot.line(MONTH, PPM, color="#f2a541", line_width=1.5, legend_label="month")
plot.line(MONTH[6:-5], YEAR_MEAN, color="#2f6690", line_width=2.5, legend_label="mean of twelve months")
plot.toolbar.logo = None
plot.legend.location = "top_left"

toggle.on_change("active", show_table)
plot.x_range.on_change("start", move)
plot.x_range.on_change("end", move)

page = column(
    heading,
    toggle,
    plot,
    sizing_mode="stretch_width",
    max_width=960,
    styles={"margin": "24px auto", "padding": "0 16px"},
)
curdoc().theme = "light_minimal"
curdoc().title = "Carbon dioxide on Mauna Loa"
curdoc().add_root(page)
