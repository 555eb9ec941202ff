"""What happens when an app's code raises: one log entry with an id, the session and the user's traceback.

Whoever registered with ``on_exception`` is told, and so are, now and then, the pages of the session.
"""

from __future__ import annotations

import inspect
import logging
import secrets
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..apps import user_traceback
from ..apps.tracebacks import in_one_line

log = logging.getLogger("hotshoe.app")

NOTICE_EVERY_S = 1.0
"""The pages of a session learn of one failure in this time; of the others they learn the number."""

REPEATS_IN_S = 10.0
REPEATS_MOST = 5
"""So many failures of one kind are reported in that time; a callback that fails every few ms would flood the log."""

KINDS_MOST = 100
"""Kinds of failures that one session is remembered to have."""


@dataclass(frozen=True, slots=True)
class FailureInfo:
    """An exception in an app's code, described."""

    error_id: str
    """What viewers are shown, and what stands in the log."""
    what: str
    """What the app was doing: ``a callback``, ``building a document``, …"""
    app: str
    """The app's URL."""
    session_id: str | None = None
    user: str | None = None
    unreported: int = 0
    """How many of the same, at the same place of the same session, were not reported since the last one that was."""


Listener = Callable[[BaseException, FailureInfo], object]

_listeners: tuple[Callable[..., object], ...] = ()
_mutex = threading.Lock()


def on_exception(listener: Listener) -> Callable[[], None]:
    """Have ``listener(error, failure)`` called with every exception that an app's code raises, in any session.

    It is called after the exception is logged, in the thread where it was raised, so it should be quick and must be
    ready to be called by several threads at once. What it raises itself is logged and goes no further.

    Returns a function that ends this. (As a decorator, the name that is decorated becomes that function.)
    Raises ``TypeError`` for an ``async`` function, which nobody would await.
    """
    global _listeners
    if inspect.iscoroutinefunction(listener):
        raise TypeError("on_exception takes a plain function: there may be no event loop where an app fails")
    entry = partial(listener)  # one of its own, should it be registered twice
    with _mutex:
        _listeners = (*_listeners, entry)
    return partial(_remove, entry)


def _remove(entry: Callable[..., object]) -> None:
    global _listeners
    with _mutex:
        _listeners = tuple(other for other in _listeners if other is not entry)


def report(
    error: BaseException, *, what: str, app: str, session_id: str | None = None, user: str | None = None,
    unreported: int = 0,
) -> FailureInfo:
    """Log an error that an app raised, and tell those who asked for it."""
    failure = FailureInfo(secrets.token_hex(4), what, app, session_id, user, unreported)
    text = user_traceback(error).rstrip()
    where = f"app {app}" if session_id is None else f"app {app}, session {session_id}"
    if unreported:
        where += f" (and {unreported} more like it since the last that was logged)"
    fields = {"session": session_id, "app": app, "user": user, "error_id": failure.error_id, "traceback": text}
    log.error(
        "error %s in %s of %s\n%s", failure.error_id, what, where, text,
        extra={name: value for name, value in fields.items() if value is not None},
    )  # fmt: skip
    _tell(error, failure)
    return failure


def report_refusal(error: BaseException, *, what: str, app: str, session_id: str) -> str:
    """Log in one line that a client sent what can't be applied; returns the id it is logged under."""
    error_id = secrets.token_hex(4)
    log.warning(
        "error %s: %s of app %s, session %s, can't be applied: %s", error_id, what, app, session_id, in_one_line(error),
        extra={"session": session_id, "app": app, "error_id": error_id},
    )  # fmt: skip
    return error_id


def _tell(error: BaseException, failure: FailureInfo) -> None:
    for listener in _listeners:
        try:
            listener(error, failure)
        except BaseException:
            log.exception("a function given to on_exception failed with error %s", failure.error_id)


def viewer_text(error_id: str) -> str:
    """What viewers are told of a failure in production."""
    return f"Something failed in this app. Error {error_id}"


def is_plain_exit(error: BaseException) -> bool:
    """Whether it is what ``sys.exit()`` raises when all is well: the end of that callback, no failure."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


@dataclass(slots=True)
class _Kind:
    """Failures of one kind: since when they are counted, how many there were, and the last that was reported."""

    since_s: float
    count: int = 0
    unreported: int = 0
    last: FailureInfo | None = None


class Repeats:
    """Which failures of one session are more of the same: too many of them are counted, not reported."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._kinds: dict[str, _Kind] = {}

    def last_of(self, error: BaseException) -> FailureInfo | None:
        """The last that was reported of this kind, if this one is not to be; it is counted."""
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
                return None
            kind.unreported += 1
            return kind.last

    def unreported(self, error: BaseException) -> int:
        """How many of this kind were counted only; from now on there are none."""
        with self._mutex:
            kind = self._kinds.get(_key(error))
            if kind is None:
                return 0
            count, kind.unreported = kind.unreported, 0
            return count

    def reported(self, error: BaseException, failure: FailureInfo) -> None:
        """It has been reported as ``failure``."""
        with self._mutex:
            if (kind := self._kinds.get(_key(error))) is not None:
                kind.last = failure


class Notices:
    """What the pages of one session are told of its failures, at most once in ``NOTICE_EVERY_S``."""

    def __init__(self, *, dev: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._dev = dev
        self._clock = clock
        self._told_s: float | None = None
        self._untold = 0

    def of(self, error: BaseException, failure: FailureInfo) -> Mapping[str, Any] | None:
        """What to tell now: its id, a key that is the same for the same failure at the same place, and how many there
        were since the last time; in dev mode also what was raised and where. Nothing if it is too soon.
        """
        now_s = self._clock()
        if self._told_s is not None and now_s - self._told_s < NOTICE_EVERY_S:
            self._untold += 1
            return None
        self._told_s, count, self._untold = now_s, self._untold + 1, 0
        notice = {"id": failure.error_id, "key": _key(error), "count": count}
        if not self._dev:
            return notice
        return {**notice, "what": failure.what, "text": in_one_line(error), "traceback": user_traceback(error)}


def _key(error: BaseException) -> str:
    frames = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return f"{zlib.crc32(' '.join([type(error).__qualname__, *frames]).encode('utf-8', 'replace')):08x}"


USER_NAMES = ("username", "login", "user", "email", "sub", "id", "identity", "name", "display_name")
"""What may be the name of a user, the first that is there: those last that two people may have."""


def user_name(user: Any) -> str | None:
    """A user as an outer framework gives it, as text; ``None`` for who has not logged in."""
    if user is None or isinstance(user, str):
        return user or None
    if getattr(user, "is_authenticated", True) is False:
        return None
    found = [value for name in USER_NAMES if isinstance(value := _part(user, name), str | int)]
    if found:
        return next((str(value) for value in found if value != ""), None)
    kind: Any = type(user)
    # An address in memory is nobody's name: it would be another in each request.
    return str(kind.__qualname__ if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__ else user)


def _part(user: Any, name: str) -> Any:
    try:
        return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
    except Exception:  # Starlette's SimpleUser has an identity that only raises
        return None
