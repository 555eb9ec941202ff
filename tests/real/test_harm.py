"""What an app does to its process, by mistake: the server serves others, and stops when it is told to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.differential.conversations import connect, model_of
from tests.support.raw_http import get
from tests.support.server_process import serve
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

APP = """
import asyncio, os, signal, sys
from bokeh.io import curdoc
from bokeh.models import Div, TextInput

trigger, echo = TextInput(name="trigger"), Div(name="echo", text="0")
document = curdoc()
document.add_root(trigger)
document.add_root(echo)

def change(attr, old, new):
    async def work():
        if new == "signals":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if new == "wakeup":
            signal.set_wakeup_fd(-1)
        if new == "folder":
            os.chdir("/")
        if new == "streams":
            sys.stdout = sys.stderr = sys.stdin = None
        if new == "closed streams":
            sys.stdout.close()
            sys.stderr.close()
        if new == "closed":
            os.close(0)
            os.close(1)
        if new == "exit":
            asyncio.get_running_loop().create_task(leave())
            await asyncio.gather(leave())
        if new == "interrupt":
            asyncio.get_running_loop().call_soon(interrupt)
        echo.text = new
    async def leave():
        sys.exit(3)
    def interrupt():
        raise KeyboardInterrupt
    document.add_next_tick_callback(work)
    if new == "thread":
        asyncio.run(asyncio.sleep(0))
        asyncio.set_event_loop(None)

trigger.on_change("value", change)
"""

HARMS = {
    "signals": "has replaced the handler of SIGTERM",
    "wakeup": "",
    "folder": "",
    "streams": "",
    "closed streams": "",
    "closed": "has closed the descriptor 1",
    "exit": "has ended with SystemExit",
    "interrupt": "has ended with KeyboardInterrupt",
    "thread": "",
}


@pytest.mark.parametrize("harm", HARMS)
def test_the_server_serves_on_and_stops(harm: str, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP)
    with serve(app) as server:
        server.errors_expected = True
        port = int(re.findall(r":(\d+)/app", server.urls["app"])[0])
        page = get(port, "/app")
        with connect(port, "/app/ws", token=page.token, timeout_s=30) as socket:
            trigger = model_of(socket.pull(), "trigger")["id"]
            socket.set(trigger, "value", harm)
            wait_until(lambda: HARMS[harm] in server.log, 60, lambda: server.log)
        with connect(port, "/app/ws", token=get(port, "/app").token, timeout_s=30) as socket:
            trigger = model_of(socket.pull(), "trigger")["id"]
            socket.set(trigger, "value", "still there")
            wait_until(lambda: model_of(socket.pull(), "echo")["attributes"]["text"] == "still there", 60)
