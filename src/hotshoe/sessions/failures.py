"""Reports what an app's code raises: one log entry with an id, the session and the user's traceback.

Functions that were given to ``on_exception`` are called; the session's pages are told, at most once a second.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .. import wire
from ..base.errors import CompileError, SessionGone
from ..base.logs import Lines, PacedLog, origin_of, session_hash
from ..base.thread_errors import AppThread, add_hint
from ..base.tracebacks import comes_from_app, in_one_line, user_traceback
from ..wire.messages import Outgoing
from .audience import Audience
from .outbox import Subscriber
from .unsendable import UnsendableError

log = logging.getLogger("hotshoe.app")
_failures, _refusals = PacedLog(log, most=20), PacedLog(log)

NOTICE_EVERY_S = 1.0
"""Within this time, the pages of a session are told of one failure, and of how many more there were."""

_DOING = {"PATCH-DOC": "handling a change from the page", "PULL-DOC-REQ": "sending the document"}

REPEATS_IN_S = 10.0
REPEATS_MOST = 5
"""Most failures of one kind that are reported in that time: a callback that fails every few ms would flood the log."""

_BYTES_MOST = 2**53

KINDS_MOST = 100
"""Most kinds of failures that are remembered for one session."""


@dataclass(frozen=True, slots=True)
class FailureInfo:
    """An exception in an app's code, described."""

    error_id: str
    """Shown to viewers, and logged."""
    what: str
    """What the app was doing: ``a callback``, ``building a document``, …"""
    app: str
    """The app's URL."""
    session_id: str | None = None
    """The session's id. It opens the session, so do not log it; ``None`` outside of sessions."""
    user: str | None = None
    unreported: int = 0
    """How many of the same kind in the same session were not reported since the last one that was."""


Listener = Callable[[BaseException, FailureInfo], object]

_listeners: tuple[Callable[..., object], ...] = ()
_mutex = threading.Lock()


def on_exception(listener: Listener) -> Callable[[], None]:
    """Have ``listener(error, failure)`` called with every exception that an app's code raises, in any session.

    It is called after the exception is logged, in the thread where it was raised. So it should be quick, and several
    threads may call it at once. If it raises itself, that is logged and ignored.

    Returns a function that removes the listener. (If this is used as a decorator, the decorated name becomes that
    function.) Raises ``TypeError`` for an ``async`` function, since nothing would await it.
    """
    global _listeners
    if inspect.iscoroutinefunction(listener):
        raise TypeError("on_exception takes a plain function: there may be no event loop where an app fails")
    entry = partial(listener)  # a new object, since the same listener may be registered twice
    with _mutex:
        _listeners = (*_listeners, entry)
    return partial(_remove, entry)


def _remove(entry: Callable[..., object]) -> None:
    global _listeners
    with _mutex:
        _listeners = tuple(other for other in _listeners if other is not entry)


def report(error: BaseException, *, what: str, app: str, session_id: str | None = None, user: str | None = None,
           unreported: int = 0, thread: AppThread = "pool") -> FailureInfo:
    """Log an error that an app raised, and call the listeners. ``thread`` is where the app's code runs."""
    add_hint(error, thread)
    failure = FailureInfo(secrets.token_hex(4), what, app, session_id, user, unreported)
    text = Lines.of(user_traceback(error).rstrip())
    session = None if session_id is None else session_hash(session_id)
    where = f"app {app}" if session is None else f"app {app}, session {session}"
    if unreported:
        where += f" (and {unreported} more like it since the last that was logged)"
    fields = {"session": session, "app": app, "user": user, "error_id": failure.error_id, "traceback": text}
    _failures.error(
        "error %s in %s of %s\n%s", failure.error_id, what, where, text, kind=(app, what, origin_of(error)),
        extra={name: value for name, value in fields.items() if value is not None},
    )
    _call_listeners(error, failure)
    return failure


def report_refusal(error: BaseException, *, what: str, app: str, session_id: str) -> str:
    """Log in one line that a client's message can't be applied; returns the id of the log entry."""
    error_id, session = secrets.token_hex(4), session_hash(session_id)
    _refusals.warning(
        "error %s: %s of app %s, session %s, can't be applied: %s", error_id, what, app, session, in_one_line(error),
        extra={"session": session, "app": app, "error_id": error_id},
    )
    return error_id


def report_too_big(app: str, session_id: str, data: object) -> None:
    """Log what a page says that it could not send: the bytes of a message, and the most that the server takes."""
    values = data if isinstance(data, Mapping) else {}
    size, limit = (_number(values.get(name)) for name in ("bytes", "limit"))
    session = session_hash(session_id)
    most = (f"a message may have {limit:.0f} bytes" if limit else
            "a server in front takes none of this size, or the connection broke")
    _refusals.warning(
        "app %s, session %s: its page could not send a message of %.0f bytes, such as a large file: %s. Allow more by "
        "--websocket-max-message-size, and by the limit of a server in front (uvicorn: --ws-max-size)",
        app, session, size, most,
        extra={"session": session, "app": app})


def _number(value: object) -> float:
    """A number of bytes that a client has sent; any client may send anything."""
    return value if isinstance(value, int | float) and 0 <= value < _BYTES_MOST else 0


def _call_listeners(error: BaseException, failure: FailureInfo) -> None:
    for listener in _listeners:
        try:
            listener(error, failure)
        except BaseException:
            log.exception("a function given to on_exception failed with error %s", failure.error_id)


def is_plain_exit(error: BaseException) -> bool:
    """Whether it comes from ``sys.exit()`` or ``sys.exit(0)``, which end a callback without a failure."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


@dataclass(slots=True)
class _Kind:
    """Failures of one kind: the start of the count, how many there were, and the last that was reported."""

    since_s: float
    count: int = 0
    unreported: int = 0
    last: FailureInfo | None = None


class Repeats:
    """Limits how often failures of one kind are reported in one session; the others are only counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._kinds: dict[str, _Kind] = {}

    def count(self, error: BaseException) -> tuple[FailureInfo | None, int]:
        """Count a failure. If too many of its kind were reported lately, this is the last of those.

        Else it is ``None``, with the number of those that were only counted since.
        """
        now_s, key = self._clock(), _key(error)
        with self._mutex:
            kind = self._kinds.get(key)
            if kind is None:
                if len(self._kinds) >= KINDS_MOST:
                    del self._kinds[next(iter(self._kinds))]
                kind = self._kinds[key] = _Kind(now_s)
            elif now_s - kind.since_s >= REPEATS_IN_S:
                kind.since_s, kind.count = now_s, 0
            kind.count += 1
            if kind.count <= REPEATS_MOST or kind.last is None:
                unreported, kind.unreported = kind.unreported, 0
                return None, unreported
            kind.unreported += 1
            return kind.last, 0

    def remember(self, error: BaseException, failure: FailureInfo) -> None:
        """Remember that the error was reported as ``failure``."""
        with self._mutex:
            if (kind := self._kinds.get(_key(error))) is not None:
                kind.last = failure


class Notices:
    """Limits how often the pages of one session are told of failures: at most once in ``NOTICE_EVERY_S``."""

    def __init__(self, *, dev: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._dev = dev
        self._clock = clock
        self._told_s: float | None = None
        self._untold = 0

    def next(self, error: BaseException, failure: FailureInfo) -> Mapping[str, Any]:
        """The notice to send now; empty if it is too soon.

        It has the failure's id, a key that is the same for the same failure at the same place, and how many failures
        there were since the last notice; in dev mode also the error and its traceback.
        """
        now_s = self._clock()
        if self._told_s is not None and now_s - self._told_s < NOTICE_EVERY_S:
            self._untold += 1
            return {}
        self._told_s, count, self._untold = now_s, self._untold + 1, 0
        return self.of(error, failure, count)

    def of(self, error: BaseException, failure: FailureInfo, count: int = 1) -> Mapping[str, Any]:
        """A notice however soon it is, for a page that has nothing else to show."""
        notice = {"id": failure.error_id, "key": _key(error), "count": count}
        if not self._dev:
            return notice
        return {**notice, "what": failure.what, "text": in_one_line(error), "traceback": user_traceback(error)}


def _key(error: BaseException) -> str:
    frames = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return f"{zlib.crc32(' '.join([type(error).__qualname__, *frames]).encode('utf-8', 'replace')):08x}"


class Reporter:
    """Reports errors in the code of one session's app. May be used from any thread."""

    def __init__(self, app_url: str, audience: Audience, *, dev: bool, thread: AppThread = "pool") -> None:
        self.session_id: str | None = None
        """``None`` until the session is adopted."""
        self.user: str | None = None
        self._app_url = app_url
        self._audience = audience
        self._dev = dev
        self._thread = thread
        self._notices = Notices(dev=dev)
        self._repeats = Repeats()

    def report(self, error: BaseException | None, what: str, *, always: bool = False) -> str:
        """Log an error if it is a failure (or ``always``), and tell the pages. Returns the id of the log entry."""
        ended = isinstance(error, SessionGone | SystemExit | asyncio.CancelledError)
        if error is None or (ended and not always):
            return ""
        info = self._report(error, what)
        if notice := self._notices.next(error, info):
            self._audience.notify({"failure": notice})
        return info.error_id

    def replies(self, origin: Subscriber, msgtype: str, answers: Sequence[str],
                error: BaseException) -> Sequence[Outgoing]:
        """The ERROR replies to messages whose handling raised; they have the traceback in dev mode only."""
        notice: Mapping[str, Any] = {}
        is_pull = msgtype == "PULL-DOC-REQ"  # without the document, its page shows nothing else
        if isinstance(error, UnsendableError | CompileError) or comes_from_app(error):
            info = self._report(error, _DOING.get(msgtype, f"handling a {msgtype}"))
            error_id = info.error_id
            notice = self._notices.of(error, info) if is_pull else self._notices.next(error, info)
        else:
            error_id = report_refusal(error, what=f"a {msgtype}", app=self._app_url, session_id=self.session_id or "")
        metadata = {"failure": notice} if notice else {}
        if notice and not is_pull:
            self._audience.notify(metadata, besides=origin)
        text, traceback = f"Something failed in this app. Error {error_id}", None
        if self._dev:
            text, traceback = in_one_line(error), user_traceback(error)
        return [wire.error(msgid, text, traceback, metadata) for msgid in answers]

    def note_too_big(self, data: object) -> None:
        """Log that a page could not send a message, since it is too large."""
        report_too_big(self._app_url, self.session_id or "", data)

    def _report(self, error: BaseException, what: str) -> FailureInfo:
        info, unreported = self._repeats.count(error)
        if info is None:
            info = report(error, what=what, app=self._app_url, session_id=self.session_id, user=self.user,
                          unreported=unreported, thread=self._thread)
            self._repeats.remember(error, info)
        return info
