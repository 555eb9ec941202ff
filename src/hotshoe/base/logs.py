"""The fields of log records (session, app, user, request), and a limit on how often a line is repeated.

The fields are set once per context, and log formats read them. Lines that any client can cause are logged only a few
times a minute (``PacedLog``), and a client's text in them is bounded and escaped.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

from .own_log import own

FIELDS = ("session", "app", "user", "request_id", "error_id")
"""The attributes that every record in hotshoe's log has; ``session`` is a ``session_hash``."""

UNKNOWN = "-"

_here: ContextVar[Mapping[str, str]] = ContextVar("hotshoe_log_fields", default={})  # noqa: B039 - it is never changed

LOG_EVERY_S = 60.0

MOST = 5
"""How many lines of one kind are logged within ``LOG_EVERY_S``."""
_MOST_KINDS = 1000
LONGEST, LONGEST_LINES = 2000, 20_000
"""Most characters of a text in a line, and of a text of several lines. Clients can make a message of 20 MB fail."""
_MORE = " (and %d more since the last such line)"


def session_hash(session_id: str) -> str:
    """The name of a session in logs: a short hash of its id. The id itself opens the session, so it is never logged."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def known() -> Mapping[str, str]:
    """The fields of this context."""
    return _here.get()


def note(**fields: str | None) -> Token[Mapping[str, str]]:
    """Add fields to all records of this context; ``None`` is left out."""
    return _here.set({**_here.get(), **{name: text for name, text in fields.items() if text is not None}})


def forget(token: Token[Mapping[str, str]]) -> None:
    """Undo the call of ``note`` that returned ``token``."""
    _here.reset(token)


class AddFields(logging.Filter):
    """Adds the fields to each record. Use it on handlers: they run in the context of the logging code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the context's fields, except those that the record has already. Never drops a record."""
        here = known()
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, here.get(name, UNKNOWN))
        return True


@dataclass(slots=True)
class _Pace:
    """How often one kind of line was logged lately."""

    since_s: float
    count: int = 0
    left_out: int = 0
    last: str = ""
    """The last line that was left out."""
    flush: asyncio.TimerHandle | None = None


_paces: OrderedDict[Hashable, _Pace] = OrderedDict()
_changing = threading.RLock()
"""Reentrant: with it held Python may collect garbage, and a destructor of an app may log something."""


class Lines(str):
    """A text of several lines for a log, such as a traceback; its other control characters are escaped."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Lines:
        """The lines, without their middle if there are too many."""
        if len(text) > LONGEST_LINES:
            half = LONGEST_LINES // 2
            text = f"{text[:half]}\n... ({len(text) - 2 * half} characters are left out) ...\n{text[-half:]}"
        return cls("\n".join(map(_printable, text.split("\n"))))


class _Text(str):
    """A client's text: ``%s`` escapes what is not printable, as ``%r`` does."""

    __slots__ = ()

    def __str__(self) -> str:
        return _printable(str.__str__(self))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join([each if each.isprintable() or each == "\t" else repr(each)[1:-1] for each in text])


def _bounded(arguments: Any) -> Any:
    """The arguments of a line, with texts of which no client can make a second line or a long one."""
    if isinstance(arguments, Mapping):
        return {name: _bounded_text(each) for name, each in arguments.items()}
    return tuple(map(_bounded_text, arguments)) if isinstance(arguments, tuple) else arguments


def _bounded_text(value: object) -> object:
    if isinstance(value, BaseException):
        try:
            value = str(value)
        except Exception:
            return value  # logging tells so
    if not isinstance(value, str) or isinstance(value, Lines):
        return value
    return _Text(value if len(value) <= LONGEST else f"{value[:LONGEST]}... ({len(value)} characters)")


def origin_of(error: BaseException | None) -> Hashable:
    """The type and place of an error, for ``kind=``: errors of the same origin are of one kind."""
    frames = list(traceback.walk_tb(None if error is None else error.__traceback__))
    code = frames[-1][0].f_code if frames else None
    return type(error), None if code is None else (code.co_filename, frames[-1][1])


def _format(text: str, arguments: Any) -> str:
    """The line; as always in logging, wrong arguments raise no error."""
    try:
        return text % arguments if arguments else text
    except BaseException:
        return text


class PacedLog:
    """Logs lines that any client can cause at any rate: a few lines of one kind a minute, and the number of the others.

    A kind is a text without its arguments; ``kind=`` separates kinds with the same text. May be used in any thread.
    With a running event loop, the number of omitted lines is logged within a minute, otherwise with the next line.
    """

    def __init__(self, log: logging.Logger, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        own(log)
        self._log = log
        self._most = most
        self._clock = clock

    def info(self, text: str, *arguments: object, kind: Hashable = None, **more: Any) -> None:
        """``logging.Logger.info``, paced."""
        self._write(logging.INFO, text, arguments, kind, more)

    def warning(self, text: str, *arguments: object, kind: Hashable = None, **more: Any) -> None:
        """``logging.Logger.warning``, paced."""
        self._write(logging.WARNING, text, arguments, kind, more)

    def error(self, text: str, *arguments: object, kind: Hashable = None, **more: Any) -> None:
        """``logging.Logger.error``, paced; ``exc_info`` as in it."""
        self._write(logging.ERROR, text, arguments, kind, more)

    def _write(self, level: int, text: str, arguments: tuple[object, ...], kind: Hashable,
               more: dict[str, Any]) -> None:
        if not self._log.isEnabledFor(level):
            return
        arguments = _bounded(arguments)
        left_out = self._count(level, text, arguments, kind)
        if left_out:
            text, arguments = text + _MORE, (*arguments, left_out)
        if left_out is not None:
            self._log.log(level, text, *arguments, stacklevel=3, **more)

    def _count(self, level: int, text: str, arguments: Any, kind: Hashable) -> int | None:
        """Count a line. Returns how many were left out before it; ``None`` if this one is left out, too."""
        with _changing:
            pace = self._pace(level, text, kind)
            left_out = self._admit(pace)
        if left_out is None:
            # Keep the text, not the arguments: these may be large, or errors with all their frames. Format it without
            # the lock, since an app's ``__str__`` may log something itself.
            last = _format(text, arguments)
            with _changing:
                pace.last = last
                self._flush_later(pace, level)
        return left_out

    def _pace(self, level: int, text: str, kind: Hashable) -> _Pace:
        key = self._log.name, level, text, kind
        pace = _paces.setdefault(key, _Pace(self._clock()))
        _paces.move_to_end(key)
        if len(_paces) > _MOST_KINDS:
            _paces.popitem(last=False)
        return pace

    def _admit(self, pace: _Pace) -> int | None:
        now_s = self._clock()
        left_out = 0
        if now_s - pace.since_s >= LOG_EVERY_S:
            pace.since_s, pace.count, left_out, pace.left_out = now_s, 0, pace.left_out, 0
        pace.count += 1
        if pace.count <= self._most:
            return left_out
        pace.left_out += 1
        return None

    def _flush_later(self, pace: _Pace, level: int) -> None:
        if pace.flush is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no loop: a thread that an app or a library has started
            return
        delay_s = max(0.0, pace.since_s + LOG_EVERY_S - self._clock())
        pace.flush = loop.call_later(delay_s, self._flush, pace, level, context=contextvars.Context())

    def _flush(self, pace: _Pace, level: int) -> None:
        """Log how many lines were left out, unless another line has done that."""
        with _changing:
            pace.flush, left_out, pace.left_out = None, pace.left_out, 0
        if left_out:
            self._log.log(level, "%s (the last of %d more since the last such line)", pace.last, left_out)


class PaceFilter(logging.Filter):
    """Does the same for a library's logger whose lines any client can cause."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the record, or add to it how many were dropped before."""
        log = PacedLog(logging.getLogger(record.name))
        record.args = _bounded(record.args)
        left_out = log._count(record.levelno, str(record.msg), record.args, None)  # noqa: SLF001 - of this module
        if left_out:
            record.msg, record.args = _format(str(record.msg), record.args) + _MORE % left_out, ()
        return left_out is not None
