"""A hundred thousand points

Two sliders change a strange attractor. Each move computes all of its points again, and the picture follows at once.
"""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.plotting import figure

STARTS = 1000
STEPS = 100
SKIPPED = 10  # until the points have reached the attractor
WIDTH, HEIGHT = 480, 300  # cells of the picture
X_END, Y_END = 2.4, 2.1

random = np.random.default_rng(7)
FIRST = random.uniform(-1, 1, size=(2, STARTS))


def points(a: float, b: float) -> np.ndarray:
    """The de Jong attractor: x and y of `STARTS` points, followed for `STEPS` steps."""
    x, y = FIRST
    path = np.empty((2, STEPS, STARTS))
    for step in range(-SKIPPED, STEPS):
        x, y = np.sin(a * y) - np.cos(2.3 * x), np.sin(b * x) - np.cos(2.1 * y)
        if step >= 0:
            path[:, step] = x, y
    return path.reshape(2, -1)


def picture() -> dict[str, list[np.ndarray]]:
    """How many points are in each cell, as a logarithm that a byte holds."""
    x, y = points(bend.value, twist.value)
    cells = ((y / Y_END + 1) / 2 * HEIGHT).astype(int) * WIDTH + ((x / X_END + 1) / 2 * WIDTH).astype(int)
    counts = np.bincount(cells, minlength=HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    return {"picture": [np.minimum(80 * np.log1p(counts), 255).astype(np.uint8)]}


def move(attr: str, old: float, new: float) -> None:
    source.data = picture()


heading = Div(text="<h1>A hundred thousand points</h1>Drag: for each position Python computes all of them again.")
bend = Slider(title="Bend", start=0.5, end=3, value=1.4, step=0.01, sizing_mode="stretch_width")
twist = Slider(title="Twist", start=0.5, end=3, value=2.4, step=0.01, sizing_mode="stretch_width")
source = ColumnDataSource(picture())

plot = figure(
    height=580,
    sizing_mode="stretch_width",
    x_range=(-X_END, X_END),
    y_range=(-Y_END, Y_END),
    tools="",
    toolbar_location=None,
    outline_line_color=None,
    min_border=0,
)
plot.axis.visible = False
plot.grid.visible = False
plot.image("picture", x=-X_END, y=-Y_END, dw=2 * X_END, dh=2 * Y_END, source=source, palette="Inferno256")

bend.on_change("value", move)
twist.on_change("value", move)

curdoc().theme = "light_minimal"
curdoc().title = "A hundred thousand points"
curdoc().add_root(
    column(
        heading,
        row(bend, twist, spacing=24, sizing_mode="stretch_width"),
        plot,
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
