"""Apps that take long to begin: whoever asks for one is told so in time, and asks again for the same session.

Proxies give up on an answer after 30 or 60 s, and a page that shows nothing for as long is given up by people. So after
``PATIENCE_S`` the answer is that the app is starting; the build goes on. What comes back with ``STARTING`` in its query
waits for that build, and starts no other. Nobody has to come back: the session then ends as one that nobody uses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from ..errors import AccessError, RequestError, SessionGone
from ..sessions.failures import user_name
from .answers import Scope
from .requests import STARTING, arguments_of, header
from .tickets import Ticket

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""Below the 30 s after which Heroku gives up on an answer; other proxies wait for 60 s."""
KEPT_S = 30.0
"""How long the end of a build is remembered for those who come back."""

OURS, THEIRS = "new", "kept"
"""What the mark says: whether the session's id was put into the query with it."""
_IN_QUERY = "!$&'()*+,;=:@/?%-._~"


@dataclass(slots=True, eq=False)
class _Start:
    """A session that is being built, or was lately."""

    task: asyncio.Task[str]
    user: str | None
    waiting: int = 0
    promised: bool = False
    """Whether somebody was told to come back."""
    asked_s: float = 0.0


class Starts:
    """The sessions of one front that take long to begin. Used on the event loop only."""

    def __init__(self) -> None:
        self._starts: dict[tuple[str, str], _Start] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}

    async def answer(self, scope: Scope, app: str, ticket: Ticket, opening: Callable[[], Coroutine[Any, Any, str]],
                     show: Callable[[str], Awaitable[_T]], *, patient: bool = False) -> _T | None:
        """What ``show`` makes of the token that ``opening`` gives; ``None`` if it takes too long.

        Then the same session is asked for again with ``again`` as query. Who is ``patient`` is never told to. Raises
        what ``opening`` and ``show`` raise, and ``AccessError`` if another user began it.
        """
        key = app, ticket.session_id
        known = self._known(scope, key)
        if known is not None:
            try:
                return await self._answer(key, known, show, patient=patient)
            except SessionGone:  # it was built, and nobody came for it for so long that it has ended
                self._forget(key, known)
            except Exception:  # is told once: who loads the page again wants to see whether it still fails
                self._forget(key, known)
                raise
        return await self._answer(key, self._begin(scope, opening), show, patient=patient)

    async def until_known(self, scope: Scope, app: str, ticket: Ticket) -> bool:
        """Wait for the end of a build that is known; ``False`` if it takes too long. Raises what that raises.

        It builds nothing: where nothing is known, there is nothing to wait for.
        """
        key = app, ticket.session_id
        start = self._known(scope, key)
        return start is None or await self._answer(key, start, _nothing_more) is not None

    async def _answer(self, key: tuple[str, str], start: _Start, show: Callable[[str], Awaitable[_T]], *,
                      patient: bool = False) -> _T | None:
        start.waiting += 1
        try:
            async with asyncio.timeout(None if patient else PATIENCE_S) as limit:
                return await show(await asyncio.shield(start.task))
        except TimeoutError:
            if not limit.expired():
                raise
            self._promise(key, start)
            return None
        except asyncio.CancelledError:
            if start.task.cancelled():
                raise RequestError("the server is stopping", status=503) from None
            if not start.promised and start.waiting == 1:
                start.task.cancel()
            raise
        finally:
            start.waiting -= 1
            start.asked_s = asyncio.get_running_loop().time()

    def _known(self, scope: Scope, key: tuple[str, str]) -> _Start | None:
        start = self._starts.get(key) if is_asked_again(scope) else None
        if start is not None and start.user != user_name(scope.get("user")):
            raise AccessError("This session belongs to another user")
        return start

    @staticmethod
    def _begin(scope: Scope, opening: Callable[[], Coroutine[Any, Any, str]]) -> _Start:
        task = asyncio.get_running_loop().create_task(opening())
        task.add_done_callback(_retrieve)
        return _Start(task, user_name(scope.get("user")))

    def _promise(self, key: tuple[str, str], start: _Start) -> None:
        if start.promised:
            return
        start.promised = True
        if (other := self._starts.get(key)) is not None:
            self._forget(key, other)
        _log.info("%s takes more than %g s to begin; its visitor is told so, and waits", key[0], PATIENCE_S)
        self._starts[key] = start
        start.task.add_done_callback(lambda _: self._expire(key, start))

    def _expire(self, key: tuple[str, str], start: _Start) -> None:
        """Forget it once nobody has asked for a while."""
        loop = asyncio.get_running_loop()
        left_s = KEPT_S if start.waiting else start.asked_s + KEPT_S - loop.time()
        if self._starts.get(key) is not start:
            return
        if left_s <= 0:
            self._forget(key, start)
        else:
            self._timers[key] = loop.call_later(left_s, self._expire, key, start)

    def _forget(self, key: tuple[str, str], start: _Start) -> None:
        if self._starts.get(key) is start:
            del self._starts[key]
            if (timer := self._timers.pop(key, None)) is not None:
                timer.cancel()

    def close(self) -> None:
        """Forget all. Who still waits is told that the server is stopping."""
        for key, start in list(self._starts.items()):
            self._forget(key, start)
            start.task.cancel()


async def _nothing_more(token: str) -> str:
    return token


def _retrieve(task: asyncio.Task[str]) -> None:
    # Whoever waits gets the error; what is an app's own stands in the log.
    if not task.cancelled():
        task.exception()


def is_asked_again(scope: Scope) -> bool:
    """Whether the request comes from who was told that the app is starting."""
    return STARTING in arguments_of(scope.get("query_string", b""))


def again(scope: Scope, ticket: Ticket) -> str:
    """The query with which the request asks again for the same session. ASCII, and no character that ends a URL."""
    query: bytes = scope.get("query_string", b"")
    if is_asked_again(scope):
        return quote(query, safe=_IN_QUERY)
    names = arguments_of(query)
    is_named = "bokeh-session-id" in names or "bokeh-token" in names or header(scope, b"bokeh-session-id") is not None
    added = f"{STARTING}={THEIRS}" if is_named else f"bokeh-session-id={ticket.session_id}&{STARTING}={OURS}"
    return quote(query, safe=_IN_QUERY) + ("&" if query else "") + added
