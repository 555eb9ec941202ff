"""A successor on the same port: it starts while its predecessor still ends, and goes on with the pages of that one."""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path

import pytest
from tests.support.differential.conversations import connect
from tests.support.ports import free_port
from tests.support.raw_http import get
from tests.support.server_process import serve
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

MAIN = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div(text='x'))\n"
SLOW_END = """
import time
from pathlib import Path

def on_server_unloaded(context):
    ends = time.monotonic() + 60
    while not Path(__file__).with_name("go").exists() and time.monotonic() < ends:
        time.sleep(0.05)
"""


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_successor_needs_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKEH_SECRET_KEY", "of-a-test-with-two-servers-and-many-characters")
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "main.py").write_text(MAIN)
    (folder / "app_hooks.py").write_text(SLOW_END)
    flags = ("--port", str(port := free_port()), "--address", "127.0.0.1")
    with serve(folder, flags=flags, program="hotshoe serve") as first:
        first.errors_expected = True  # if the second one starts slowly, the hook has not ended in its time
        [token] = re.findall(r'"token":"([^"]+)"', get(port, "/slow").text)
        first.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(port), 60)
        with serve(folder, flags=flags, program="hotshoe serve") as second:
            (folder / "go").touch()
            assert first.process.wait(60) == 0
            assert get(port, "/slow").status == 200
            with connect(port, "/slow/ws", token=token):
                pass
            assert second.process.poll() is None
