"""The examples of integrations as processes: started as their READMEs say, on a free port, and stopped with SIGTERM."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

from tests.support.ports import free_port

FOLDER = Path(__file__).parents[2] / "examples/integrations"
PORT = "8000"
"""What the READMEs have it listen on."""

_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_START_TIMEOUT_S = 90
_STOP_TIMEOUT_S = 30


@dataclass
class Site:
    """A process that serves."""

    port: int
    process: subprocess.Popen[bytes]
    log_file: Path
    is_stopped: bool = field(default=False)

    @property
    def root(self) -> str:
        """Its address, without a slash at the end; that of the origin of its pages, too."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has printed."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> str:
        """The text at a path."""
        with urllib.request.urlopen(self.root + path, timeout=20) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self) -> None:
        """Stop it as systemd would; it ends with exit code 0, or as uvicorn, which sends the signal to itself again."""
        if self.is_stopped:
            return
        self.is_stopped = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop within {_STOP_TIMEOUT_S} s:\n{self.log}") from None
        assert code in (0, -signal.SIGTERM), f"exit code {code}:\n{self.log}"

    def kill(self) -> None:
        """End its whole family."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def commands(name: str) -> list[str]:
    """What the README of an example has one run, but for what installs."""
    text = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    lines = [line for block in _SHELL.findall(text) for line in block.splitlines()]
    return [line for line in lines if not line.startswith("pip ")]


@contextmanager
def run(command: str, folder: Path, *, until: str = "/",
        environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Run a command of a README in ``folder`` until the end of the block, from when ``until`` is answered on."""
    port = free_port()
    program, *words = shlex.split(command.replace(PORT, str(port)))
    with tempfile.TemporaryDirectory() as scratch:
        log_file = Path(scratch) / "log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / program), *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
                env={**os.environ, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})})
        site = Site(port, process, log_file)
        try:
            _wait_until_answered(site, until)
            yield site
            site.stop()
        except BaseException:
            sys.stderr.write(site.log)
            raise
        finally:
            if process.poll() is None:
                site.kill()


@contextmanager
def example(name: str, *, until: str = "/", environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """An example, started by the one command that its README names."""
    (command,) = commands(name)
    with run(command, FOLDER / name, until=until, environment=environment) as site:
        yield site


def _wait_until_answered(site: Site, path: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        assert site.process.poll() is None, "ended before it served"
        assert time.monotonic() < deadline, "did not start in time"
        try:
            site.get(path)
        except HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
