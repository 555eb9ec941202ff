"""`hotshoe static`: BokehJS and extensions, nothing else."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.support.command import hotshoe

from hotshoe.cli.static import make_parser

SERVING = re.compile(r"Starting Bokeh static server at (\d+)( address (\S+))?")


@pytest.mark.real
def test_files_of_bokehjs(tmp_path: Path) -> None:
    with hotshoe("static", "--port", "0", "--address", "127.0.0.1", "--log-level", "debug", cwd=tmp_path) as command:
        command.wait_for("Serving static files from: ")
        match = SERVING.search(command.log)
        assert match
        assert match[3] == "127.0.0.1"
        base = f"http://127.0.0.1:{match[1]}"
        script = httpx.get(f"{base}/static/js/bokeh.min.js")
        assert script.status_code == 200
        assert len(script.content) > 100_000
        assert httpx.get(f"{base}/static/../secret").status_code == 404
        for path in ("/", "/app", "/ws", "/metadata", "/autoload.js"):
            assert httpx.get(base + path).status_code == 404
        command.send(signal.SIGTERM)
        assert command.finish() == 0
        assert command.output == "Received signal SIGTERM, shutting down\n"


@pytest.mark.real
def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with hotshoe("static", "--unix-socket", path, cwd=tmp_path) as command:
        command.wait_for(f"Starting Bokeh static server at {path}")
        with httpx.Client(transport=httpx.HTTPTransport(uds=path)) as client:
            assert client.get("http://x/static/js/bokeh.min.js").status_code == 200


def test_an_address_that_is_not_here(run_here: Callable[..., tuple[int, str, str]]) -> None:
    answer = run_here("static", "--port", "0", "--address", "192.0.2.1")
    assert answer == (1, "", "ERROR: Cannot start Bokeh server, address '192.0.2.1' not available; "
                      "--address takes an address of this machine\n")


def test_the_options_of_bokeh_static() -> None:
    options = {option for action in make_parser().actions for option in action.option_strings}
    assert options >= {"--port", "--address", "--unix-socket", "--log-level", "--log-format", "--log-file",
                       "--use-config"}
    assert "--allow-websocket-origin" not in options
