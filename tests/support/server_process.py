"""`hotshoe serve` as a real process: started, found by the lines that it prints, stopped with SIGTERM.

It must end with exit code 0 and a log without errors. `TEST_SERVER="bokeh serve"` runs the tests against stock instead,
to see which of them it passes.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.running_server import Server

EXAMPLES = Path(__file__).parents[2] / "examples"
APP_FILES = sorted(
    path for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"} or (path / "main.py").exists()
)

_RUNNING_AT = re.compile(r"Bokeh app running at: (http://\S+)")
_START_TIMEOUT_S = 40
_STOP_TIMEOUT_S = 15


@dataclass
class ServerProcess(Server):
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not stop within {_STOP_TIMEOUT_S} s:\n{self.log}") from None
        assert code == 0, f"exit code {code}:\n{self.log}"
        if not self.errors_expected:
            assert not re.search(r"\bERROR\b|Traceback", self.log), self.log


@contextmanager
def serve(*apps: Path, flags: tuple[str, ...] = (), program: str | None = None) -> Iterator[ServerProcess]:
    """A server of these apps on a free port; ``urls`` has the address of each by its name."""
    with tempfile.TemporaryDirectory() as folder:
        server = start([str(app) for app in apps], flags, Path(folder) / "log", program)
        try:
            wait_until_started(server, len(apps))
            yield server
        except BaseException:
            server.process.kill()
            server.process.wait()
            sys.stderr.write(server.log)
            raise
        server.stop()


def start(apps: list[str], flags: tuple[str, ...], log_file: Path, program: str | None) -> ServerProcess:
    name, *words = shlex.split(program or os.environ.get("TEST_SERVER", "hotshoe serve"))
    command = [str(Path(sys.executable).parent / name), *words, *apps, "--port", "0", *flags]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    return ServerProcess(process, log_file)


def wait_until_started(server: ServerProcess, apps: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while len(server.urls) < apps:
        assert server.process.poll() is None, "ended before it served"
        assert time.monotonic() < deadline, "did not start in time"
        time.sleep(0.05)
        server.urls = {url.rpartition("/")[2]: url for url in _RUNNING_AT.findall(server.log)}
