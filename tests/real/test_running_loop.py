"""What apps do inside of an event loop, in scripts and callbacks: real libraries, each in a session of its own."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.support.cases import every_case
from tests.support.differential.conversations import connect, model_of
from tests.support.raw_http import get
from tests.support.server_process import ServerProcess, serve
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

APP = Path(__file__).parent / "apps" / "in_a_loop.py"
WAYS = ("create_task", "ensure_future", "gather", "timeouts", "task_group", "timers", "executor", "queue", "tornado",
        "aiohttp", "httpx", "anyio", "apscheduler", "run", "run_until_complete", "async_to_sync", "django",
        "playwright")

NESTED = """
import asyncio
import nest_asyncio
nest_asyncio.apply()
from bokeh.io import curdoc
from bokeh.models import Div, TextInput

trigger, echo = TextInput(name="trigger"), Div(name="echo", text="0")
document = curdoc()
document.add_root(trigger)
document.add_root(echo)

async def fetch():
    await asyncio.sleep(0.01)
    return "nested"

def change(attr, old, new):
    if new == "callback":
        echo.text = asyncio.get_event_loop().run_until_complete(fetch()) + " " + asyncio.run(fetch())
    else:
        document.add_next_tick_callback(on_loop)

async def on_loop():
    try:
        echo.text = asyncio.get_event_loop().run_until_complete(fetch()) + " on the loop"
    except RuntimeError as error:
        echo.text = str(error)

trigger.on_change("value", change)
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


def port_of(server: ServerProcess) -> int:
    return int(re.findall(r":(\d+)/", next(iter(server.urls.values())))[0])


def answer(server: ServerProcess, path: str, value: str | None) -> str:
    """What the app shows after its trigger is set, or of itself."""
    port = port_of(server)
    name = path.partition("?")[0]
    with connect(port, f"{name}/ws", token=get(port, path).token, timeout_s=30) as socket:
        if value is not None:
            socket.set(model_of(socket.pull(), "trigger")["id"], "value", value)
        shown: list[str] = []

        def is_there() -> bool:
            shown.append(model_of(socket.pull(), "echo")["attributes"].get("text", ""))
            return shown[-1] not in ("", "0")

        wait_until(is_there, 20, lambda: server.log)
        return shown[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    notebook = tmp_path_factory.mktemp("notebook") / "in_a_notebook.ipynb"
    cells = [{"cell_type": "code", "source": APP.read_text(), "metadata": {}, "outputs": []}]
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with HTTPServer(("127.0.0.1", 0), Page) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        with serve(APP, notebook, flags=("--args", f"http://127.0.0.1:{site.server_port}/")) as running:
            yield running
        site.shutdown()


def test_callbacks(server: ServerProcess) -> None:
    with every_case() as case:
        for way in WAYS:
            with case(way):
                assert answer(server, "/in_a_loop", way) == "ok"


@pytest.mark.parametrize("path", ["/in_a_loop", "/in_a_notebook"])
def test_scripts(server: ServerProcess, path: str) -> None:
    with every_case() as case:
        for way in WAYS:
            with case(way):
                assert answer(server, f"{path}?what={way}", None) == "ok"


@pytest.mark.parametrize(("loop", "on_loop"), [("auto", "--loop asyncio"), ("asyncio", "nested on the loop")])
def test_nest_asyncio(loop: str, on_loop: str, tmp_path: Path) -> None:
    app = tmp_path / "nested.py"
    app.write_text(NESTED)
    with serve(app, flags=("--loop", loop)) as server:
        assert answer(server, "/nested", "callback") == "nested nested"
        assert on_loop in answer(server, "/nested", "on the loop")
        assert get(port_of(server), "/nested").status == 200
