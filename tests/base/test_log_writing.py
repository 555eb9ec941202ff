"""The log never stops the code that writes it."""

from __future__ import annotations

import errno
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from hotshoe.base import log_writing
from hotshoe.base.log_writing import LogWriter


class Terminal(io.StringIO):
    """One that takes nothing until it is released, or fails."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopped = threading.Event()
        self.go_on = threading.Event()
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        self.is_stopped.set()
        assert self.go_on.wait(60)
        if self.error is not None:
            raise self.error
        return super().write(text)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.go_on.set()


@pytest.fixture
def log(terminal: Terminal) -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.log_writing")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = LogWriter(terminal)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_lines_are_written_in_order(log: logging.Logger, terminal: Terminal) -> None:
    terminal.go_on.set()
    for number in range(100):
        log.info("line %d", number)
    log.handlers[0].flush()
    assert terminal.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_a_terminal_that_takes_nothing_delays_nobody(log: logging.Logger, terminal: Terminal,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writing, "WAITING_MOST", 1000)
    monkeypatch.setattr(log_writing, "FLUSH_S", 0.05)
    log.info("first")
    assert terminal.is_stopped.wait(60)
    for number in range(1000):
        log.info("line %d", number)
    log.handlers[0].flush()  # ends
    assert terminal.getvalue() == ""
    terminal.go_on.set()
    wait_until(lambda: "were lost" in terminal.getvalue())
    lines = terminal.getvalue().splitlines()
    assert lines[:2] == ["first", "line 0"]
    assert sum(map(len, lines)) < 1200
    written = sum(line.startswith("line ") for line in lines)
    assert lines[-1] == f"{1000 - written} lines of the log were lost: it was not written fast enough"


def test_a_full_disk(log: logging.Logger, terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.error = OSError(errno.ENOSPC, "No space left on device")
    terminal.go_on.set()
    handler = log.handlers[0]
    told = ""
    for number in range(3):
        log.info("line %d", number)
        handler.flush()
    wait_until(lambda: handler._lost == 3)  # type: ignore[attr-defined]
    told = capsys.readouterr().err
    assert told == "hotshoe: the log can't be written: No space left on device\n"
    terminal.error = None
    log.info("there is space again")
    handler.flush()
    assert terminal.getvalue().splitlines() == [
        "there is space again", "3 lines of the log were lost: No space left on device"]


def test_no_error_of_the_stream_ends_the_log(log: logging.Logger, terminal: Terminal,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    terminal.error = RuntimeError()
    terminal.go_on.set()
    log.info("lost")
    log.handlers[0].flush()
    terminal.error = None
    log.info("written")
    log.handlers[0].flush()
    assert terminal.getvalue().splitlines() == ["written", "1 lines of the log were lost: RuntimeError"]


def test_a_record_that_can_not_be_formatted(log: logging.Logger, terminal: Terminal,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    terminal.go_on.set()
    log.handlers[0].handle(logging.LogRecord("a", logging.INFO, "file", 1, "%d", ("no number",), None))
    log.info("next")
    log.handlers[0].flush()
    assert terminal.getvalue() == "next\n"
    assert "no number" in capsys.readouterr().err


FORKED = """
import logging, os, sys
from hotshoe.base.log_writing import LogWriter
logging.basicConfig(handlers=[LogWriter(sys.stderr)])
logging.warning("parent")
logging.getLogger().handlers[0].flush()
if os.fork() == 0:
    logging.warning("child")
    os._exit(0)  # as multiprocessing does
os.wait()
logging.warning("the end")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_what_is_logged_last_and_by_a_forked_process(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=60,
                          check=True)
    assert done.stderr.splitlines() == [f"WARNING:root:{word}" for word in ("parent", "child", "the end")]


def test_a_log_that_nobody_reads_is_waited_for_once(
        log: logging.Logger, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = log.handlers[0]
    log.info("first")
    monkeypatch.setattr(log_writing, "FLUSH_S", 0.01)
    handler.flush()
    monkeypatch.setattr(log_writing, "FLUSH_S", 3600)
    handler.flush()  # ends
    terminal.go_on.set()
    wait_until(lambda: handler._size == 0)  # type: ignore[attr-defined]
    log.info("second")
    handler.flush()
    assert terminal.getvalue() == "first\nsecond\n"
