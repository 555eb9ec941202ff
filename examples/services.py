"""Twelve slow services

An `async def` callback asks twelve services at once and gathers the answers, in the time of the slowest.
"""

import asyncio
import random
import time

from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import figure

SERVICES = [f"service {n}" for n in range(1, 13)]


async def answer(service: int) -> float:
    """Ask one service: here, wait for as long as it would take. Returns the seconds that it took."""
    latency_s = random.uniform(0.2, 1.5)
    await asyncio.sleep(latency_s)
    source.patch({"latency": [(service, latency_s)], "color": [(service, "#17a398")]})
    return latency_s


async def ask() -> None:
    button.disabled = True
    source.data = {"name": SERVICES, "latency": [0.0] * 12, "color": ["#dde3e9"] * 12}
    began = time.perf_counter()
    latencies = await asyncio.gather(*(answer(service) for service in range(12)))
    took = time.perf_counter() - began
    status.text = f"All answered in <b>{took:.1f} s</b>; one after the other: {sum(latencies):.1f} s"
    button.disabled = False


heading = Div(text="<h1>Twelve slow services</h1>Asked all at once, they answer in the time of the slowest.")
button = Button(label="Ask all", button_type="primary", width=120)
status = Div(align="center")
source = ColumnDataSource({"name": SERVICES, "latency": [0.0] * 12, "color": ["#dde3e9"] * 12})

plot = figure(
    height=440,
    sizing_mode="stretch_width",
    x_range=(0, 1.6),
    y_range=SERVICES[::-1],
    x_axis_label="seconds to answer",
    tools="",
    toolbar_location=None,
)
plot.hbar(y="name", right="latency", height=0.6, color="color", source=source)
plot.ygrid.grid_line_color = None

button.on_click(lambda: curdoc().add_next_tick_callback(ask))

curdoc().theme = "light_minimal"
curdoc().title = "Twelve slow services"
curdoc().add_root(
    column(
        heading,
        row(button, status, spacing=16),
        plot,
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
