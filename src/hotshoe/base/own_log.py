"""The loggers of hotshoe, which an app's own setup of logging can't silence.

An app may call ``dictConfig`` or ``fileConfig`` (which disable all loggers that exist), ``logging.disable``,
``basicConfig(force=True)``, or set the level of every logger. None of that may take lines from the server's log: a page
names the ids of errors that stand there.

If the server has the process to itself (``keep_log``), its lines go to its own handler, always. Other handlers on their
way, which an app has added, get them as usual, except those that write to the same console: a line would appear twice.
Elsewhere, the setup of the program around hotshoe decides, but ``disabled`` does not count: it is set by accident.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from .log_writing import CONSOLE, LineHandler, LogWriter, descriptor_of
from .tracebacks import in_one_line

ROOT = "hotshoe"
TELL_EVERY_S = 60.0
"""How often the log tells of a handler or filter that fails."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The server's own log."""

    writer: LogWriter
    level: int


_kept: _Kept | None = None


class OwnLogger(logging.Logger):
    """A logger of hotshoe. Existing loggers become one (``claim``)."""

    own_level = 0
    """The level that hotshoe itself has set."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Whether a line of this level is logged; the server's own log takes all from its level on."""
        if _kept is not None and level >= max(_kept.level, self.own_level):
            return True
        return self._is_wanted(level)

    def _is_wanted(self, level: int) -> bool:
        """What ``Logger.isEnabledFor`` would say if the logger was not disabled."""
        return self.manager.disable < level and level >= self.getEffectiveLevel()

    def makeRecord(self, name: str, level: int, fn: str, lno: int, msg: object, args: Any, exc_info: Any,  # noqa: N802
                   func: str | None = None, extra: Any = None, sinfo: str | None = None) -> logging.LogRecord:
        """Make a record, also if an app's factory of records fails here."""
        try:
            return super().makeRecord(name, level, fn, lno, msg, args, exc_info, func, extra, sinfo)
        except Exception:
            record = logging.LogRecord(name, level, fn, lno, msg, args, exc_info, func, sinfo)
            record.__dict__.update(extra or {})
            return record

    def handle(self, record: logging.LogRecord) -> None:
        """Pass a record to the handlers, unless a filter drops it.

        A handler or filter of an app that raises an error must not end what the server is doing when it logs.
        """
        try:
            kept: Any = self.filter(record)  # since Python 3.12 it may return another record
        except Exception as error:
            kept = True
            _tell(error)
        try:
            if kept:
                self.callHandlers(record if kept is True else kept)
        except Exception as error:
            _tell(error)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Pass a record to the server's own log, and to the handlers that want it."""
        log = _kept
        if log is None:
            super().callHandlers(record)
            return
        others = self._others(log.writer) if self._is_wanted(record.levelno) else []
        # By logging's own function, which libraries that report errors replace.
        logging.Logger.callHandlers(cast(Any, _Way([log.writer, *others])), record)

    def _others(self, writer: LogWriter) -> list[logging.Handler]:
        found: list[logging.Handler] = []
        place: logging.Logger | None = self
        while place is not None:
            found += [handler for handler in place.handlers if not _is_same_log(handler, writer)]
            place = place.parent if place.propagate else None
        return found


class _Way:
    """Stands for a logger with these handlers and no parent."""

    propagate = False
    parent = None

    def __init__(self, handlers: list[logging.Handler]) -> None:
        self.handlers = handlers


class SharedHandler(LineHandler):
    """Writes the lines of other loggers to the server's log. An app may remove it, or change its format and level."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self.writer = writer

    def write(self, line: str) -> None:
        """Have a line written."""
        self.writer.write(line)

    def flush(self) -> None:
        """Wait until all lines are written."""
        self.writer.flush()


_told_s = float("-inf")


def _tell(error: Exception) -> None:
    """Say now and then that a handler or filter has failed: in the server's own log, or on stderr as logging does."""
    global _told_s
    now_s = time.monotonic()
    if now_s - _told_s < TELL_EVERY_S:
        return
    _told_s = now_s
    text = f"A handler or filter of logging has failed: {in_one_line(error)}"
    if _kept is not None:
        _kept.writer.write(text)
    else:
        with suppress(Exception):
            sys.stderr.write(f"hotshoe: {text}\n")


def claim() -> None:
    """Make all loggers of hotshoe that exist ones of ours. Call it before code of apps runs."""
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        if (name == ROOT or name.startswith(f"{ROOT}.")) and isinstance(logger, logging.Logger):
            own(logger)


def own(logger: logging.Logger) -> None:
    """Make this logger one of ours, if its name is."""
    if type(logger) is logging.Logger and logger.name.partition(".")[0] == ROOT:
        logger.__class__ = OwnLogger
        cast(OwnLogger, logger).own_level = logger.level


def keep_log(writer: LogWriter, level: int) -> None:
    """Write the lines of hotshoe's loggers from this level on to ``writer``, whatever happens to logging."""
    global _kept
    own(logging.getLogger(ROOT))
    claim()
    _kept = _Kept(writer, level)
    atexit.register(writer.flush)  # logging itself forgets its handlers when an app configures it


def forget_log() -> None:
    """Undo ``keep_log``."""
    global _kept
    if _kept is not None:
        atexit.unregister(_kept.writer.flush)
    _kept = None


def flush_log() -> None:
    """Wait until all lines of the server's own log are written."""
    if _kept is not None:
        _kept.writer.flush()


def _is_same_log(handler: logging.Handler, writer: LogWriter) -> bool:
    """Whether a handler writes to the server's log, or to the same console."""
    if isinstance(handler, SharedHandler) and handler.writer is writer:
        return True
    stream = getattr(handler, "stream", None) or getattr(getattr(handler, "console", None), "file", None)
    return writer.writes_to_console and descriptor_of(stream) in CONSOLE
