"""2 MB/s into one source: half of it from a periodic callback, half from a thread of the app's own."""

import itertools
import threading
import time

import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

POINTS = 3125
"""Two columns of 8 bytes: 50 KB a time, 20 times a second from each of the two."""

document = curdoc()
source = ColumnDataSource({"x": np.zeros(1), "y": np.zeros(1)}, name="source")
beat = Slider(start=0, end=10**9, step=1, value=0, name="beat")
status = Div(text="0", name="status")
for root in (source, beat, status):
    document.add_root(root)

beats = itertools.count(1)
stopped = threading.Event()
document.on_session_destroyed(lambda session_context: stopped.set())


def stream():
    number = next(beats)
    source.stream({"x": np.full(POINTS, float(number)), "y": np.full(POINTS, float(number))}, rollover=POINTS)
    beat.value = number


def work():
    while not stopped.wait(0.05):
        document.add_next_tick_callback(stream)


document.add_periodic_callback(stream, 50)
threading.Thread(target=work, daemon=True).start()
started = time.monotonic()
