"""Penguins by weight

A range slider and a choice of species filter a scatter plot: every move runs a callback in Python.
"""

import csv
from pathlib import Path

from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import CheckboxButtonGroup, ColumnDataSource, Div, RangeSlider
from bokeh.plotting import figure
from bokeh.transform import factor_cmap

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
COLORS = ["#e4572e", "#76489d", "#17a398"]

with (Path(__file__).parent / "data" / "penguins.csv").open(newline="") as file:
    PENGUINS = list(csv.DictReader(file))


def filtered() -> dict[str, list]:
    """The penguins that the two widgets leave."""
    low, high = weight.value
    wanted = {SPECIES[i] for i in species.active}
    rows = [p for p in PENGUINS if low <= float(p["body_mass_g"]) <= high and p["species"] in wanted]
    return {
        "flipper": [float(p["flipper_length_mm"]) for p in rows],
        "bill": [float(p["bill_length_mm"]) for p in rows],
        "size": [float(p["body_mass_g"]) / 400 for p in rows],
        "species": [p["species"] for p in rows],
        "island": [p["island"] for p in rows],
    }


def update(attr: str, old: object, new: object) -> None:
    source.data = filtered()
    count.text = f"{len(source.data['species'])} of {len(PENGUINS)} penguins"


heading = Div(text="<h1>Penguins by weight</h1>The widgets choose, Python filters. Heavier penguins are drawn larger.")
weight = RangeSlider(title="Body mass, g", start=2600, end=6400, value=(2600, 6400), step=50, width=360)
species = CheckboxButtonGroup(labels=SPECIES, active=[0, 1, 2], align="end")
count = Div(text=f"{len(PENGUINS)} of {len(PENGUINS)} penguins", align="end")
source = ColumnDataSource(filtered())

plot = figure(
    height=480,
    sizing_mode="stretch_width",
    x_range=(165, 238),
    y_range=(30, 62),
    x_axis_label="flipper length, mm",
    y_axis_label="bill length, mm",
    tools="pan,wheel_zoom,reset,hover",
    tooltips="@species, @island",
)
plot.scatter(
    "flipper",
    "bill",
    size="size",
    source=source,
    color=factor_cmap("species", COLORS, SPECIES),
    alpha=0.65,
    line_color="white",
    legend_group="species",
)
plot.toolbar.logo = None
plot.legend.location = "top_left"

weight.on_change("value", update)
species.on_change("active", update)

curdoc().theme = "light_minimal"
curdoc().title = "Penguins by weight"
curdoc().add_root(
    column(
        heading,
        row(weight, species, count, spacing=24),
        plot,
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
