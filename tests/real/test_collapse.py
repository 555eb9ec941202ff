"""A slider dragged faster than its callback runs: the plot follows the last move, not all of them."""

from __future__ import annotations

import json
import time

import pytest
from tests.support.differential.conversations import connect, model_of
from tests.support.raw_websocket import WebSocket, changed
from tests.support.server_thread import MakeServer

pytestmark = [pytest.mark.real, pytest.mark.alone]

MOVES = 50
CALLBACK_S = 0.05

APP = f"""
    import time
    from bokeh.io import curdoc
    from bokeh.models import ColumnDataSource
    from bokeh.models.widgets import Slider

    slider = Slider(start=0, end=1000, value=0, step=1, name="slider")
    source = ColumnDataSource({{"y": [0]}}, name="source")
    runs = Slider(start=0, end=1000, value=0, step=1, name="runs")

    def move(attr, old, new):
        time.sleep({CALLBACK_S})
        source.data = {{"y": [new]}}
        runs.value += 1

    slider.on_change("value", move)
    for root in (slider, source, runs):
        curdoc().add_root(root)
"""


ROUNDS_MOST = 10
"""Others may keep the machine busy for a moment; one drag that went as it should shows that it does."""


def drag(socket: WebSocket, model_id: str, first: int) -> tuple[str, float]:
    """Fifty moves in a tenth of a second; the id of the last, and how long it took."""
    began_s = time.monotonic()
    for value in range(first, first + MOVES):
        msgid = socket.say("PATCH-DOC", {"events": [changed(model_id, "value", value)]})
        time.sleep(0.1 / MOVES)
    return msgid, time.monotonic() - began_s


@pytest.mark.parametrize("collapse", [True, False])
def test_fifty_moves_over_a_slow_callback(make_server: MakeServer, collapse: bool) -> None:
    server = make_server(app=APP, no_collapse=not collapse)
    with connect(server.port, "/app/ws", timeout_s=20.0) as socket:
        document = socket.pull()
        slider, source, runs = (model_of(document, name)["id"] for name in ("slider", "source", "runs"))
        before = 0
        for round_ in range(ROUNDS_MOST if collapse else 1):
            last, dragged_s = drag(socket, slider, 1 + round_ * MOVES)
            moved_s = time.monotonic()
            plotted, ran, answers = 0, 0, 0
            while True:
                header, _, content, _ = socket.next()
                answers += header["msgtype"] == "OK"
                for event in content.get("events", ()):
                    if event["model"]["id"] == source:
                        plotted = json.loads(json.dumps(event["data"]["entries"][0][1]))[0]
                    elif event["model"]["id"] == runs:
                        ran = event["new"]
                if header.get("reqid") == last:
                    break
            took_s = time.monotonic() - moved_s
            assert plotted == (1 + round_) * MOVES
            assert answers == MOVES
            ran, before = ran - before, ran
            # Those that ran meanwhile, the one that still runs, and the last: 100 ms with nothing else to do.
            assert ran <= (dragged_s / CALLBACK_S + 4 if collapse else MOVES)
            if took_s < 5 * CALLBACK_S:
                break
        if collapse:
            assert took_s < 5 * CALLBACK_S
        else:
            assert ran == MOVES
