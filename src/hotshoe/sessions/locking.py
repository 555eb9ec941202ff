"""``locked_callback``: change a document from any thread, safely."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, Generic, Literal, ParamSpec, overload

from bokeh.document import Document

from ..errors import SessionGone
from .context import SessionContext
from .session import Session

P = ParamSpec("P")

Policy = Literal["every", "latest"]


class LockedCallback(Generic[P]):
    """Calls schedule the wrapped function to run with the document locked, and return at once.

    With the policy ``"every"`` all calls run, in order; with ``"latest"`` at most one waits, and a newer call
    replaces it. Once the session ends, or after ``close``, calls do nothing. May be called from any thread.
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
        """What happens to calls that come while one waits."""
        return self._policy

    def close(self) -> None:
        """Drop what waits and refuse further calls; a call that runs is left to end."""
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
            session.lock(self._invoke, self._settle)

    def _invoke(self) -> Any:
        with self._mutex:
            if self._function is None or not self._waiting:
                return None
            function = self._function
            args, kwargs = self._waiting.popleft()
        return function(*args, **kwargs)

    def _settle(self, result: Any, error: BaseException | None) -> Sequence[Any]:
        if isinstance(error, SessionGone):
            self.close()
        elif (session := self._session) is not None:
            session.report(error, "a locked callback")
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
    """Make a function that runs with ``document`` locked, wherever it is called from.

    Use it as a decorator, ``@locked_callback(doc, policy="latest")``, or give it the function. It means what
    ``Document.locked_callback`` of bokeh 3.10 means, and works on 3.9 too.

    Raises ``RuntimeError`` if the document belongs to no session of hotshoe, ``ValueError`` for another policy.
    """
    if policy not in ("every", "latest"):
        raise ValueError(f"policy must be 'every' or 'latest', not {policy!r}")
    context = document.session_context
    session = context.owner if isinstance(context, SessionContext) else None
    if session is None:
        raise RuntimeError("locked_callback needs a document that hotshoe serves")
    owner = session

    def decorate(function: Callable[P, Any]) -> LockedCallback[P]:
        return LockedCallback(owner, function, policy)

    return decorate if callback is None else decorate(callback)
