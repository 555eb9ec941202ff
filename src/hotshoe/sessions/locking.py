"""Functions for apps that take a session's document: ``locked_callback``, ``pause_when_unwatched``."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any, Generic, Literal, ParamSpec, overload

from bokeh.document import Document

from ..base.errors import SessionGone
from .callbacks import pausing_callbacks
from .session import Session, session_of

P = ParamSpec("P")

Policy = Literal["every", "latest"]


class LockedCallback(Generic[P]):
    """Calls schedule the wrapped function to run with the document locked, and return at once.

    With the policy ``"every"`` all calls run, in order. With ``"latest"`` at most one waits, and a newer call replaces
    it. Calls do nothing once the session has ended, and after ``close``. May be called from any thread.
    """

    def __init__(self, session: Session, function: Callable[P, Any], policy: Policy) -> None:
        update_wrapper(self, function)
        self._session: Session | None = session
        self._function: Callable[P, Any] | None = function
        self._policy = policy
        self._mutex = threading.Lock()
        self._waiting: deque[tuple[Any, Any]] = deque(maxlen=1 if policy == "latest" else None)
        self._scheduled = False
        session.document.on_session_destroyed(self._session_ended)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Schedule a call."""
        with self._mutex:
            if self._function is None:
                return
            self._waiting.append((args, kwargs))
            if self._scheduled:
                return
            self._scheduled = True
        self._schedule()

    @property
    def closed(self) -> bool:
        """Whether further calls do nothing."""
        return self._function is None

    @property
    def pending(self) -> bool:
        """Whether a call waits or runs."""
        return self._scheduled

    @property
    def policy(self) -> Policy:
        """``"every"`` or ``"latest"``."""
        return self._policy

    def close(self) -> None:
        """Drop the calls that wait and ignore further ones; a call that runs is left to end."""
        with self._mutex:
            session, self._session = self._session, None
            self._waiting.clear()
            self._scheduled = False
            self._function = None
            self.__dict__.pop("__wrapped__", None)
        if session is not None:
            session.document.session_destroyed_callbacks.discard(self._session_ended)

    def _session_ended(self, session_context: Any) -> None:
        self.close()

    def _schedule(self) -> None:
        if (session := self._session) is not None:
            session.lane.run(self._invoke, self._invoked)

    def _invoke(self) -> Any:
        with self._mutex:
            if self._function is None or not self._waiting:
                return None
            function = self._function
            args, kwargs = self._waiting.popleft()
        return function(*args, **kwargs)

    def _invoked(self, result: Any, error: BaseException | None) -> Sequence[Any]:
        if isinstance(error, SessionGone):
            self.close()
        elif (session := self._session) is not None:
            session.reporter.report(error, "a locked callback")
        with self._mutex:
            self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._schedule()
        return ()


@overload
def locked_callback(document: Document, callback: Callable[P, Any], *, policy: Policy = ...) -> LockedCallback[P]: ...
@overload
def locked_callback(
    document: Document, callback: None = None, *, policy: Policy = ...
) -> Callable[[Callable[P, Any]], LockedCallback[P]]: ...
def locked_callback(
    document: Document, callback: Callable[P, Any] | None = None, *, policy: Policy = "every"
) -> LockedCallback[P] | Callable[[Callable[P, Any]], LockedCallback[P]]:
    """Make a function that runs with ``document`` locked, in whatever thread it is called.

    Use it as a decorator, ``@locked_callback(doc, policy="latest")``, or give it the function. It does the same as
    ``Document.locked_callback`` of bokeh 3.10, and works on 3.9 too.

    Raises ``RuntimeError`` if the document belongs to no session of hotshoe, ``ValueError`` for another policy.
    """
    if policy not in ("every", "latest"):
        raise ValueError(f"policy must be 'every' or 'latest', not {policy!r}")
    session = session_of(document)
    if session is None:
        raise RuntimeError("locked_callback needs a document that hotshoe serves")
    decorate = partial(LockedCallback[P], session, policy=policy)
    return decorate if callback is None else decorate(callback)


def pause_when_unwatched(what: Any) -> None:
    """Pause a periodic callback while no browser or client is connected to its session.

    ``what`` is the return value of ``add_periodic_callback``, or a document. A document's periodic callbacks all
    pause, also those that are added later. They are due at once when a client connects; missed calls are not made up
    for. Timeout and next-tick callbacks do not pause, and the document's state stays.

    Raises ``RuntimeError`` for a document that belongs to no session of hotshoe, ``TypeError`` for anything else.
    """
    if isinstance(what, Document):
        if (session := session_of(what)) is None:
            raise RuntimeError("pause_when_unwatched needs a document that hotshoe serves")
        session.callbacks.pausing = True
    elif hasattr(what, "period") and hasattr(what, "callback"):
        pausing_callbacks.add(what)
    else:
        raise TypeError(f"{what!r} is neither a document nor a periodic callback")
