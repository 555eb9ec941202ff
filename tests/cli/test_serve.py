"""`hotshoe serve` as operators and the programs that start it see it: lines, streams, signals, exit status."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import bokeh
import httpx
import pytest
from tests.support.command import Command, hotshoe
from tests.support.command_line import parse
from tests.support.ports import free_port
from tests.support.server_thread import serve
from tests.support.waiting import wait_until

from hotshoe.base.errors import AppError, ConfigError
from hotshoe.cli.serve import expand
from hotshoe.server.loops import SAME_ORDER_S

RunHere = Callable[..., tuple[int, str, str]]
READY = "Starting Bokeh server with process id:"

APP = """\
import sys
from bokeh.io import curdoc
from bokeh.models import Div
curdoc().title = " ".join(sys.argv[1:]) or "none"
curdoc().add_root(Div(text="hello"))
"""

HOOKS = """\
def on_server_loaded(context): print("hook: loaded", flush=True)
def on_server_unloaded(context): print("hook: unloaded", flush=True)
def on_session_destroyed(context): print("hook: destroyed", flush=True)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def ended(command: Command, status: int = 0) -> None:
    assert command.finish() == status, command.log
    assert "Traceback" not in command.log


def test_glob(tmp_path: Path) -> None:
    for name in ("b.py", "a.py"):
        (tmp_path / name).touch()
    assert expand([f"{tmp_path}/*.py", f"{tmp_path}/a.py"]) == [f"{tmp_path}/a.py", f"{tmp_path}/b.py"]
    with pytest.raises(AppError, match=r"\*\.ipynb: no file matches this pattern"):
        expand([f"{tmp_path}/*.ipynb"])


def test_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse([], {})[1].port == 5006
    (tmp_path / "hotshoe.toml").write_text("port = 1\n")
    (tmp_path / "other.toml").write_text("port = 2\n")
    assert parse([], {})[1].port == 1
    assert parse(["--config", "other.toml"], {})[1].port == 2
    with pytest.raises(ConfigError, match=r"missing\.toml: can't be read"):
        parse(["--config", "missing.toml"], {})


@pytest.mark.real
def test_start_prints_what_tools_parse(app: Path, tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(APP)
    with hotshoe("serve", "two.py", "app.py", "--port", "0", "--prefix", "/a/b", cwd=tmp_path) as command:
        command.wait_for(READY)
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
        lines = command.log.splitlines()
        assert len(lines) == 4, lines
        assert re.fullmatch(rf"{stamp} Starting Bokeh server version {re.escape(bokeh.__version__)} \(running on .*\)",
                            lines[0])
        assert re.fullmatch(rf"{stamp} Bokeh app running at: http://localhost:\d+/a/b/app", lines[1])
        assert re.fullmatch(rf"{stamp} Bokeh app running at: http://localhost:\d+/a/b/two", lines[2])
        assert re.fullmatch(rf"{stamp} {READY} {command.process.pid}", lines[3])
        for url in command.urls():
            assert httpx.get(url).status_code == 200
        command.send(signal.SIGTERM)
        ended(command)
        assert command.output == "Received signal SIGTERM, shutting down\n"
        assert len(command.log.splitlines()) == 4, command.log


@pytest.mark.real
def test_args_reach_the_apps(app: Path) -> None:
    with serve(app, flags=("--args", "--port", "x")) as server:
        assert "<title>--port x</title>" in httpx.get(server.urls["app"]).text


@pytest.mark.real
@pytest.mark.parametrize(("number", "words"), [
    (signal.SIGTERM, "Received signal SIGTERM, shutting down\n"), (signal.SIGINT, "\nInterrupted, shutting down\n"),
])
def test_the_hooks_run_at_the_end(number: signal.Signals, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text(APP)
    (folder / "app_hooks.py").write_text(HOOKS)
    with hotshoe("serve", "app", "--port", "0", cwd=tmp_path) as command:
        command.wait_for(READY)
        assert httpx.get(command.urls()[0]).status_code == 200
        command.send(number)
        ended(command)
        assert command.output == f"hook: loaded\n{words}hook: destroyed\nhook: unloaded\n"


@pytest.mark.real
def test_a_program_that_reads_neither_output_nor_log_stops_nobody(app: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "hotshoe", "serve", "app.py", "--port", str(port), "--log-level", "trace"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
    try:
        os.set_blocking(writer, False)  # for both processes
        with suppress(BlockingIOError):
            while os.write(writer, bytes(1)):  # until not one byte more fits
                pass
        os.set_blocking(writer, True)
        url = f"http://localhost:{port}"

        def is_ready() -> bool:
            with suppress(httpx.HTTPError):
                return httpx.get(f"{url}/_hotshoe/health").status_code == 200
            return False

        wait_until(is_ready, 60)
        assert httpx.get(f"{url}/app", timeout=60).status_code == 200
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)


@pytest.mark.real
@pytest.mark.parametrize("threads", ["0", "4"])
def test_a_second_signal_ends_at_once(threads: str, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text(APP)
    (folder / "app_hooks.py").write_text(
        "import time\n"
        "def on_server_unloaded(context):\n"
        "    print('unloading', flush=True)\n"
        "    while True:\n"
        "        try: time.sleep(60)\n"
        "        except BaseException: pass\n")
    with hotshoe("serve", "app", "--port", "0", "--threads", threads, cwd=tmp_path) as command:
        command.wait_for(READY)
        command.send(signal.SIGTERM)
        command.wait_for("unloading")
        time.sleep(SAME_ORDER_S + 0.1)  # sooner, it would count as the same order
        command.send(signal.SIGTERM)
        assert command.finish() == 1


@pytest.mark.real
def test_the_same_signal_twice_at_once_is_one(app: Path, tmp_path: Path) -> None:
    with hotshoe("serve", "app.py", "--port", "0", cwd=tmp_path) as command:
        command.wait_for(READY)
        command.send(signal.SIGTERM)
        command.send(signal.SIGINT)
        command.send(signal.SIGTERM)
        ended(command)
        assert command.output.count("shutting down") == 1


@pytest.mark.real
def test_port_in_use(app: Path, tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with hotshoe("serve", "app.py", "--port", str(port), cwd=tmp_path) as command:
            ended(command, 1)
            assert command.log == (f"ERROR: Cannot start Bokeh server, port {port} is already in use; choose another "
                                   "with --port (0: any free one)\n")


def test_address_not_available(app: Path, run_here: RunHere) -> None:
    answer = run_here("serve", "app.py", "--port", "0", "--address", "192.0.2.1")
    assert answer == (1, "", "ERROR: Cannot start Bokeh server, address '192.0.2.1' not available; "
                      "--address takes an address of this machine\n")


@pytest.mark.parametrize(("text", "message"), [
    (None, r"ERROR: .*app\.py: no such file or directory"),
    ("x = 1\nif:\n", r"ERROR: .*app\.py.*2.*invalid syntax.*"),
])
def test_a_broken_app_is_one_line(text: str | None, message: str, tmp_path: Path, run_here: RunHere) -> None:
    if text is not None:
        (tmp_path / "app.py").write_text(text)
    status, out, err = run_here("serve", "app.py", "--port", "0")
    assert (status, out) == (1, "")
    assert re.fullmatch(message + "\n", err), err


@pytest.mark.real
def test_log_options(app: Path, tmp_path: Path) -> None:
    with hotshoe("serve", "app.py", "--port", "0", "--log-file", "log", "--log-format", "%(levelname)s|%(message)s",
                 "--keep-alive", "5000", cwd=tmp_path) as command:
        log = tmp_path / "log"
        wait_until(lambda: log.exists() and READY in log.read_text(), 40)
        command.send(signal.SIGTERM)
        ended(command)
        assert command.log == ""
        assert "INFO|Keep-alive ping configured every 5000 milliseconds\n" in log.read_text()


def test_log_file_that_can_not_be_written(app: Path, run_here: RunHere) -> None:
    answer = run_here("serve", "app.py", "--port", "0", "--log-file", "no/log")
    assert answer == (1, "", "ERROR: --log-file: no/log can't be written: No such file or directory\n")


@pytest.mark.real
def test_show_opens_each_app(app: Path, tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(APP)
    environ = {"BOKEH_BROWSER": "echo opened: %s"}
    with hotshoe("serve", "app.py", "two.py", "--port", "0", "--show", cwd=tmp_path, environ=environ) as command:
        command.wait_for(READY)
        for url in command.urls():
            command.wait_for(f"opened: {url}\n")


@pytest.mark.real
def test_an_app_may_import_a_flask_site_that_is_served_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a_site.py").write_text(
        "import flask\nfrom hotshoe.integrations.flask import Hotshoe\nsite = flask.Flask(__name__)\nHotshoe(site)\n")
    (tmp_path / "app.py").write_text(f"import a_site\n{APP}")
    with hotshoe("serve", "app.py", "--port", "0", cwd=tmp_path) as command:
        command.wait_for(READY)
        assert httpx.get(command.urls()[0], timeout=30).status_code == 200
