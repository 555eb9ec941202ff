"""Writes a log on a thread of its own: a disk, pipe or terminal that takes nothing must not stop the event loop."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any, TextIO, cast

WAITING_MOST = 4 << 20
"""How many characters may wait to be written; further lines are lost."""
FLUSH_S = 2.0
"""How long ``flush`` waits."""
TELL_EVERY_S = 60.0


CONSOLE = (1, 2)
"""The descriptors of Python's stdout and stderr."""


def descriptor_of(stream: Any) -> int | None:
    """The descriptor that a stream writes to; ``None`` if there is none, or if this is no stream."""
    try:
        return cast(int, stream.fileno())
    except Exception:  # it may be any object of an app
        return None


class LineHandler(logging.Handler):
    """Has formatted records written as lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record here, in the context of the code that logs, and have the line written."""
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.write(line)

    def write(self, line: str) -> None:
        """Have a line written."""
        raise NotImplementedError


class LogWriter(LineHandler):
    """Writes formatted records to a stream. Lines that can't be written are counted, and a later line tells of them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self._descriptor = descriptor_of(stream)
        self._begin(is_forked=False)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(self._begin, is_forked=True))

    def _begin(self, *, is_forked: bool) -> None:
        self._is_forked = is_forked
        """This is a process that an app has forked: it does not have the thread, and locks may be locked for ever."""
        self._changed = threading.Condition()
        """Guards all of the following."""
        self._waiting: list[str] = []
        self._size = 0
        """Of what waits and of what is being written."""
        self._lost = 0
        self._reason = ""
        self._told_s = float("-inf")
        self._is_stuck = False
        """Whether a flush has waited in vain; Python flushes each handler at the end, and more than once."""
        self._thread: threading.Thread | None = None

    @property
    def writes_to_console(self) -> bool:
        """Whether the lines go to this process's stdout or stderr."""
        return self._descriptor in CONSOLE

    def write(self, line: str) -> None:
        """Have a line written."""
        line += "\n"
        if self._is_forked:
            self._write_now(line)
            return
        with self._changed:
            if self._size + len(line) > WAITING_MOST:
                self._lost += 1
                self._reason = "it was not written fast enough"
                return
            self._waiting.append(line)
            self._size += len(line)
            self._start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all lines are written, but not longer than ``FLUSH_S``; not again while nothing is written."""
        with self._changed:
            self._is_stuck = not self._changed.wait_for(lambda: not self._size, 0 if self._is_stuck else FLUSH_S)

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="hotshoe-log", daemon=True)
            with suppress(RuntimeError):  # there are too many threads, or Python is ending
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                lines, self._waiting = self._waiting, []
                lost, self._lost = self._lost, 0
            if lost:
                lines.append(f"{lost} lines of the log were lost: {self._reason}\n")
            problem = self._write("".join(lines))
            with self._changed:
                self._size = sum(map(len, self._waiting))
                self._is_stuck = False
                if problem:
                    self._reason = problem
                    self._lost += lost + len(lines) - bool(lost)
                self._changed.notify_all()
            if problem:
                self._tell(problem)

    def _write_now(self, line: str) -> None:
        """Write in the calling thread: a process of ``multiprocessing`` ends without waiting for other threads."""
        with suppress(Exception):
            self._write_bytes(line)

    def _write_bytes(self, text: str) -> None:
        """Write past the stream."""
        if self._descriptor is not None:
            os.write(self._descriptor, text.encode(self.stream.encoding, "backslashreplace"))

    def _write(self, text: str) -> str:
        """Write the text. Returns the reason if that fails."""
        try:
            if self.writes_to_console and self.stream.closed:  # by an app; its descriptor stays open
                self._write_bytes(text)
                return ""
            self.stream.write(text)
            self.stream.flush()
        except Exception as error:  # a full disk, a closed stream; whatever it is, later lines may get through
            return getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ""

    def _tell(self, problem: str) -> None:
        """Say on stderr, now and then, that the log can't be written."""
        now_s = time.monotonic()
        if self.stream is not sys.stderr and now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            with suppress(Exception):  # an app may have put anything in its place
                sys.stderr.write(f"hotshoe: the log can't be written: {problem}\n")
                sys.stderr.flush()
