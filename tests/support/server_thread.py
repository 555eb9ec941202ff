"""Servers on a thread of this process, for tests in which a process of its own would prove nothing more.

`serve` takes what `tests.support.server_process.serve` takes, options of the command line too. `TEST_SERVER` makes it
start that program instead.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.support import server_process
from tests.support.command_line import parse
from tests.support.running_server import Server

import hotshoe

MakeServer = Callable[..., hotshoe.Server]

_LOGGERS = ("hotshoe", "bokeh")


class Log(logging.Handler):
    """The lines that `hotshoe serve` would log. Where servers run at once, the last one that was started has them."""

    _logs: ClassVar[list[Log]] = []
    _levels: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self._logs[-1:] != [self]:
            return
        self.lines.append(line := self.format(record) + "\n")
        if record.levelno >= logging.ERROR or "Traceback" in line:
            self.errors.append(line)

    def __enter__(self) -> Log:
        if not self._logs:
            self._levels.update({name: logging.getLogger(name).level for name in _LOGGERS})
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.INFO)
        self._logs.append(self)
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
        self._logs.remove(self)
        if not self._logs:
            for name, level in self._levels.items():
                logging.getLogger(name).setLevel(level)


@dataclass
class ServerThread(Server):
    server: hotshoe.Server
    kept: Log
    threads: list[threading.Thread]

    @property
    def log(self) -> str:
        return "".join(self.kept.lines)

    def stop(self) -> None:
        """Stop it. Its thread must have ended, and its log must be without errors, unless these are expected."""
        self.server.stop()
        assert not any(thread.is_alive() for thread in self.threads), f"it did not stop:\n{self.log}"
        assert self.errors_expected or not self.kept.errors, self.log


@contextmanager
def serve(*apps: Path, flags: tuple[str, ...] = ()) -> Iterator[Server]:
    """A server of these apps on a free port, as `hotshoe serve` with these options would run it."""
    if program := os.environ.get("TEST_SERVER"):
        with server_process.serve(*apps, flags=flags, program=program) as other:
            yield other
        return
    files, settings = parse([*map(str, apps), "--port", "0", *flags], os.environ)
    before = set(threading.enumerate())
    with Log() as log, hotshoe.Server(files, settings=settings) as running:
        threads = [thread for thread in set(threading.enumerate()) - before if thread.name == "hotshoe-server"]
        server = ServerThread(running, log, threads, urls={url.rpartition("/")[2]: url for url in running.urls})
        yield server
        server.stop()
