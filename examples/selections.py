"""Linked selections

Select penguins in one plot with the lasso: the other plot, the histogram and the table follow.
"""

import csv
from pathlib import Path

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, DataTable, Div, NumberFormatter, TableColumn
from bokeh.plotting import figure
from bokeh.transform import factor_cmap
from numpy.typing import ArrayLike

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
COLORS = ["#e4572e", "#76489d", "#17a398"]
EDGES = np.arange(2600, 6600, 200)

with (Path(__file__).parent / "data" / "penguins.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))

PENGUINS = {
    "bill_length": np.array([float(r["bill_length_mm"]) for r in rows]),
    "bill_depth": np.array([float(r["bill_depth_mm"]) for r in rows]),
    "flipper": np.array([float(r["flipper_length_mm"]) for r in rows]),
    "mass": np.array([float(r["body_mass_g"]) for r in rows]),
    "species": np.array([r["species"] for r in rows]),
    "island": np.array([r["island"] for r in rows]),
}


def scatter(x: str, y: str, x_label: str, y_label: str) -> figure:
    plot = figure(
        height=320,
        sizing_mode="stretch_width",
        x_axis_label=x_label,
        y_axis_label=y_label,
        tools="lasso_select,box_select,tap,reset",
        active_drag="lasso_select",
    )
    plot.scatter(
        x,
        y,
        source=penguins,
        size=8,
        color=factor_cmap("species", COLORS, SPECIES),
        alpha=0.75,
        line_color="white",
        nonselection_alpha=0.08,
    )
    plot.toolbar.logo = None
    return plot


def counts(mass: ArrayLike) -> np.ndarray:
    return np.histogram(mass, EDGES)[0]


def select(attr: str, old: list[int], new: list[int]) -> None:
    mass = PENGUINS["mass"][new]
    chosen.data["count"] = counts(mass)
    listed.data = {name: values[new] if new else values for name, values in PENGUINS.items()}
    summary.text = f"{len(new)} selected, {mass.mean():,.0f} g on average" if new else "Nothing selected"


heading = Div(text="<h1>Linked selections</h1>Draw around some penguins in a plot: the rest follows.")
penguins = ColumnDataSource(PENGUINS)
listed = ColumnDataSource(PENGUINS)
chosen = ColumnDataSource({"left": EDGES[:-1], "right": EDGES[1:], "count": counts([])})
summary = Div(text="Nothing selected")

histogram = figure(
    height=280, sizing_mode="stretch_width", x_axis_label="body mass, g", tools="", toolbar_location=None
)
histogram.quad(
    left=EDGES[:-1], right=EDGES[1:], bottom=0, top=counts(PENGUINS["mass"]), color="#dde3e9", line_color="white"
)
histogram.quad(left="left", right="right", bottom=0, top="count", source=chosen, color="#2f6690", line_color="white")
histogram.y_range.start = 0

table = DataTable(
    source=listed,
    columns=[
        TableColumn(field="species", title="Species"),
        TableColumn(field="island", title="Island"),
        TableColumn(field="mass", title="Mass, g", formatter=NumberFormatter(format="0,0")),
    ],
    height=280,
    reorderable=False,
    sizing_mode="stretch_width",
)

penguins.selected.on_change("indices", select)

curdoc().theme = "light_minimal"
curdoc().title = "Linked selections"
curdoc().add_root(
    column(
        heading,
        summary,
        row(
            scatter("bill_length", "bill_depth", "bill length, mm", "bill depth, mm"),
            scatter("flipper", "mass", "flipper length, mm", "body mass, g"),
            sizing_mode="stretch_width",
        ),
        row(histogram, table, sizing_mode="stretch_width", spacing=16),
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
