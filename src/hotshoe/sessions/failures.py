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
    error: BaseException, *, what: str, app: str, session_id: str | None = None, user: str | None = None
) -> FailureInfo:
    """Log an error that an app raised, and tell those who asked for it."""
    failure = FailureInfo(secrets.token_hex(4), what, app, session_id, user)
    text = user_traceback(error).rstrip()
    where = f"app {app}" if session_id is None else f"app {app}, session {session_id}"
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


def user_name(user: Any) -> str | None:
    """A user as an outer framework gives it, as text: its ``display_name`` (Starlette), ``username``, ``name``."""
    if user is None or isinstance(user, str):
        return user or None
    for attribute in ("display_name", "username", "name"):
        if isinstance(name := getattr(user, attribute, None), str):
            return name or None
    return str(user)
