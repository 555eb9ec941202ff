"""Callbacks that keep a thread, each for two seconds or more and in its own way; files tell when they run."""

import asyncio
import time
from pathlib import Path

from bokeh.io import curdoc
from bokeh.models import Div, Slider

arguments = curdoc().session_context.request.arguments  # type: ignore[union-attr]
flags = Path(arguments.get("flags", [b"."])[0].decode())
trigger = Slider(name="trigger", start=0, end=100, value=0)
echo = Div(name="echo", text="0")
heard = Div(name="heard", text="heard")


def is_over(began: float) -> bool:
    """Two seconds have passed, and whoever watches has seen enough."""
    took = time.monotonic() - began
    return took > 2 and ((flags / "enough").exists() or took > 20)


def hold(how: str) -> None:
    (flags / "begun").touch()
    began = time.monotonic()
    if how == "sleep":
        time.sleep(2)
    total = 0
    while not is_over(began):
        if how == "sleep":
            time.sleep(0.02)
        else:
            total += sum(number * number for number in range(50_000))
    (flags / "done").touch()


async def hold_loop() -> None:
    (flags / "begun").touch()
    began = time.monotonic()
    while not is_over(began):
        await asyncio.sleep(0.02)
    (flags / "done").touch()


def change(attr: str, old: int, new: int) -> None:
    match new:
        case 1:
            hold("sleep")
        case 2:
            hold("compute")
        case 3:
            curdoc().add_next_tick_callback(hold_loop)
    echo.text = str(new)
    heard.text += f" {new}"


if b"sleep" in arguments.get("build", []):
    hold("sleep")
if b"compute" in arguments.get("build", []):
    hold("compute")
trigger.on_change("value", change)
curdoc().add_root(trigger)
curdoc().add_root(echo)
curdoc().add_root(heard)
