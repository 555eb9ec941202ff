"""Reaction and diffusion

A thread of the app computes the Gray-Scott model, and shows its pictures by next-tick callbacks.
"""

import threading
from functools import partial

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, Select
from bokeh.plotting import figure

SIZE = 128
STEPS_PER_PICTURE = 16
PATTERNS = {  # feed rate, kill rate
    "corals": (0.0545, 0.062),
    "mitosis": (0.0367, 0.0649),
    "mazes": (0.029, 0.057),
    "spots": (0.025, 0.06),
}

doc = curdoc()
stop = threading.Event()
reset = threading.Event()
random = np.random.default_rng()


def spread(a: np.ndarray) -> np.ndarray:
    """The Laplacian of `a`, whose edges meet."""
    sides = sum(np.roll(a, shift, axis) for axis in (0, 1) for shift in (1, -1))
    corners = sum(np.roll(a, (dy, dx), (0, 1)) for dy in (1, -1) for dx in (1, -1))
    return 0.2 * sides + 0.05 * corners - a


def seed() -> tuple[np.ndarray, np.ndarray]:
    """A dish full of `u`, with ten drops of `v`."""
    u, v = np.ones((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    for y, x in random.integers(0, SIZE - 8, size=(10, 2)):
        u[y : y + 8, x : x + 8], v[y : y + 8, x : x + 8] = 0.5, 0.25
    return u, v


def react() -> None:
    """The thread: it computes without the document, and never touches it."""
    u, v = seed()
    while not stop.wait(0.08):
        if reset.is_set():
            u, v = seed()
            reset.clear()
        feed, kill = PATTERNS[pattern]
        for _ in range(STEPS_PER_PICTURE):
            uvv = u * v * v
            u, v = u + spread(u) - uvv + feed * (1 - u), v + 0.5 * spread(v) + uvv - (feed + kill) * v
        doc.add_next_tick_callback(partial(show, v))


def end(session_context: object) -> None:
    """Waits for the thread's last step: the names of this module are gone with the session."""
    stop.set()
    thread.join()


def show(picture: np.ndarray) -> None:
    source.data = {"picture": [picture]}


def choose(attr: str, old: str, new: str) -> None:
    global pattern
    pattern = new
    reset.set()


heading = Div(text="<h1>Reaction and diffusion</h1>Of two chemicals in a dish, one feeds on the other. Both spread.")
pattern = "corals"
source = ColumnDataSource({"picture": [seed()[1]]})
select = Select(title="Pattern", value=pattern, options=list(PATTERNS))
again = Button(label="Start again")

plot = figure(width=560, height=560, x_range=(0, 1), y_range=(0, 1), tools="", toolbar_location=None, min_border=0)
plot.image("picture", x=0, y=0, dw=1, dh=1, source=source, palette="Magma256")
plot.axis.visible = False

select.on_change("value", choose)
again.on_click(reset.set)
thread = threading.Thread(target=react, daemon=True)
doc.on_session_destroyed(end)
thread.start()

doc.theme = "light_minimal"
doc.title = "Reaction and diffusion"
doc.add_root(
    column(
        heading,
        row(plot, column(select, again), spacing=24),
        sizing_mode="stretch_width",
        max_width=960,
        styles={"margin": "24px auto", "padding": "0 16px"},
    )
)
