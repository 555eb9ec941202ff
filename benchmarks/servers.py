"""The servers that are compared, as processes: started on a free port, pinned to a core, stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psutil

from .load import Http, LoadError

APPS = Path(__file__).parent / "apps"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
SETTLE_S, SETTLE_LIMIT_S = 3.0, 40.0
NEVER_MS = 3_600_000
"""A session that lost its connection stays: a measure is not to be disturbed by the one before it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is started, in words that every peer understands."""

    apps: tuple[str, ...]
    threads: int | None = None
    """How many threads run callbacks; ``None`` is the server's default. Ignored by peers that have none."""
    unused_lifetime_ms: int = NEVER_MS
    check_unused_ms: int = NEVER_MS

    @property
    def scripts(self) -> list[str]:
        """The apps' files."""
        return [str(APPS / f"{name}.py") for name in self.apps]

    @property
    def flags(self) -> list[str]:
        """The options that ``bokeh serve`` and ``hotshoe serve`` have in common."""
        return ["--unused-session-lifetime", str(self.unused_lifetime_ms),
                "--check-unused-sessions", str(self.check_unused_ms),
                "--session-ids", "unsigned"]  # the generator makes them, and tokens


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that can be compared."""

    name: str
    command: Callable[[Settings, int], Sequence[str]]
    """The command line that serves on a port."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the process, besides those of this one."""


def _bokeh_serve(settings: Settings, port: int) -> list[str]:
    return [_script("bokeh"), "serve", *settings.scripts, "--address", "127.0.0.1", "--port", str(port),
            *settings.flags]


def _hotshoe_serve(settings: Settings, port: int) -> list[str]:
    threads = [] if settings.threads is None else ["--threads", str(settings.threads)]
    # What is measured is the work of every event, so none may take the place of another.
    return [_script("hotshoe"), "serve", *settings.scripts, "--address", "127.0.0.1", "--port", str(port),
            *settings.flags, *threads, "--no-collapse"]


def _bokeh_asgi(settings: Settings, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.bokeh_asgi", str(port), str(settings.unused_lifetime_ms),
            str(settings.check_unused_ms), *settings.scripts]


def _inside(how: str, settings: Settings, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.inside", how, str(port), str(settings.unused_lifetime_ms),
            str(settings.check_unused_ms), *settings.scripts]


def _echo(settings: Settings, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.echo", str(port)]


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


BOKEH_SERVE = Peer("bokeh serve", _bokeh_serve)
BOKEH_ASGI = Peer("BokehASGI", _bokeh_asgi)
HOTSHOE = Peer("hotshoe serve", _hotshoe_serve)
ECHO = Peer("echo", _echo)
INSIDE = (
    Peer("bare, by uvicorn", partial(_inside, "bare")),
    Peer("hotshoe.wrap, Flask", partial(_inside, "wrap")),
    Peer("a mount in Starlette", partial(_inside, "mount")),
)
"""hotshoe, as it is and within sites; the first is the base."""


def peers() -> dict[str, Peer]:
    """The peers that this Python can run; the first is the one that the others are compared with."""
    found = {"bokeh": BOKEH_SERVE}
    if find_spec("bokeh.server.asgi") is not None:
        found["asgi"] = BOKEH_ASGI
    if Path(_script("hotshoe")).exists():
        found["hotshoe"] = HOTSHOE
    return found


@dataclass(slots=True)
class Server:
    """A running peer. Use it with ``with``: what was started is stopped."""

    peer: Peer
    settings: Settings
    core: int | None = None
    """The core that it may use; ``None`` for any."""
    port: int = field(init=False, default=0)
    _process: psutil.Popen | None = field(init=False, default=None)
    _log: IO[bytes] | None = field(init=False, default=None)

    def __enter__(self) -> Server:
        self.port = _free_port()
        self._log = tempfile.TemporaryFile()
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("BOKEH_", "HOTSHOE_"))} | dict(self.peer.environment)
        self._process = psutil.Popen(self.peer.command(self.settings, self.port), stdout=self._log,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                                     cwd=APPS.parent.parent)
        try:
            if self.core is not None and sys.platform == "linux":
                self._process.cpu_affinity([self.core])
            self._wait_until_serving()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        pid: int = self._processes()[0].pid
        return pid

    def stop(self) -> None:
        """Terminate the process, and kill it if it does not go."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def cpu_s(self) -> float:
        """CPU seconds, user and system, that the process and its children have used."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def settle(self) -> None:
        """Wait until the server has done what it does by itself after its start."""
        deadline, quiet_from = time.monotonic() + SETTLE_LIMIT_S, time.monotonic() + SETTLE_S
        while time.monotonic() < min(deadline, quiet_from):
            before = self.cpu_s()
            time.sleep(0.25)
            if self.cpu_s() - before > 0.02:
                quiet_from = time.monotonic() + SETTLE_S

    def rss_bytes(self) -> int:
        """Resident memory of the process and its children."""
        return sum(process.memory_info().rss for process in self._processes())

    def log_tail(self, lines: int = 5) -> str:
        """The last lines of what the server printed."""
        if self._log is None:
            return ""
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-lines:])

    def _processes(self) -> list[psutil.Process]:
        if self._process is None or not self._process.is_running():
            raise LoadError(f"{self.peer.name} is not running")
        return [self._process, *self._process.children(recursive=True)]

    def _wait_until_serving(self) -> None:
        """Wait until each app's page is served, which also warms the server up."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _listens(self.port):
            if self._process is None or self._process.poll() is not None:
                raise LoadError(f"{self.peer.name} did not start: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise LoadError(f"{self.peer.name} does not listen: {self.log_tail()}")
            time.sleep(0.05)
        http = Http(self.port)
        for app in self.settings.apps * 3:
            http.page(app)
        http.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: psutil.Popen) -> None:
    try:
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        family = [process]
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
        process.kill()
        process.wait(STOP_TIMEOUT_S)
    for member in family:
        if member.is_running():
            member.kill()
