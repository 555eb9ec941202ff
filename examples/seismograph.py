"""Seismograph

The server streams 30 readings of a needle a second to the page, which keeps the last 600.
"""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, Slider, Toggle
from bokeh.plotting import figure

STEP_S = 1 / 30
ROLLOVER = 600

random = np.random.default_rng()
needle = {"time": 0.0, "position": 0.0, "speed": 0.0}
source = ColumnDataSource({"time": [], "position": []})


def tick() -> None:
    """Move the needle, a damped spring that the ground shakes, and stream where it is now."""
    shake = random.normal(scale=tremor.value)
    needle["speed"] += STEP_S * (shake - 90 * needle["position"] - 1.5 * needle["speed"])
    needle["position"] += STEP_S * needle["speed"]
    needle["time"] += STEP_S
    source.stream({"time": [needle["time"]], "position": [needle["position"]]}, rollover=ROLLOVER)


def quake() -> None:
    needle["speed"] += random.choice([-1, 1]) * random.uniform(12, 18)


def pause(attr: str, old: bool, paused: bool) -> None:
    global running
    if paused:
        curdoc().remove_periodic_callback(running)
    else:
        running = curdoc().add_periodic_callback(tick, round(1000 * STEP_S))


heading = Div(text="<h1>Seismograph</h1>A needle that moves in the server, and its last 20 seconds.")
tremor = Slider(title="Tremor", start=0, end=60, value=15, step=1)
earthquake = Button(label="Earthquake", button_type="danger", align="end")
paused = Toggle(label="Pause", align="end")

plot = figure(
    height=420,
    sizing_mode="stretch_width",
    y_range=(-2, 2),
    x_axis_label="time, s",
    y_axis_label="needle, mm",
    tools="",
    toolbar_location=None,
)
plot.x_range.follow = "end"
plot.x_range.follow_interval = ROLLOVER * STEP_S
plot.x_range.range_padding = 0
plot.line("time", "position", source=source, color="#e4572e", line_width=2)

earthquake.on_click(quake)
paused.on_change("active", pause)
running = curdoc().add_periodic_callback(tick, round(1000 * STEP_S))

curdoc().theme = "light_minimal"
curdoc().title = "Seismograph"
curdoc().add_root(
    column(
        heading,
        row(tremor, earthquake, paused, spacing=16),
        plot,
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
