"""Apps that take long to start: the client gets a response in time, and sends a second request for the same session.

Proxies give up on a response after 30 or 60 s, and people leave a page that stays blank. So after ``PATIENCE_S`` the
response says that the app is starting, and the build goes on. A request with ``STARTING`` in its query waits for that
build and starts no other. If no such request comes, the session expires like any unused session.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from ...base.errors import AccessError, CapacityError, RequestError, SessionGone
from ...base.logs import PacedLog
from ...base.shared import Shared, Space
from ...base.users import user_name
from ...hosts.host import View
from ...http.requests import STARTING, arguments_of, header
from ...http.scopes import Scope
from .opening import Shown
from .tickets import Ticket, bearer_of, digest_of

_log = PacedLog(logging.getLogger(__name__))

PATIENCE_S = 10.0
"""Below the 30 s after which Heroku gives up on a response; other proxies wait for 60 s."""
KEPT_S = 30.0
"""How long the end of a build is remembered for clients that come back."""

CLAIMS = Space("starts", most_entries=10_000, most_bytes=4 << 20)
"""Which process builds which session. The id itself opens the session, so only its digest is stored."""
CLAIM_S = 15.0
"""How long a claim is valid after its process has died."""

OURS, THEIRS = "new", "kept"
"""The values of ``STARTING``: the server has added the session's id to the query, or the client names the session."""
_IN_QUERY = "!$&'()*+,;=:@/?%-._~"

_Key = tuple[str, str]
Open = Callable[[], Coroutine[None, None, Shown]]
OpenAgain = Callable[[Shown], Awaitable[Shown]]


@dataclass(slots=True, eq=False)
class _Start:
    """A session that is being built and rendered, or was a short time ago."""

    task: asyncio.Task[Shown]
    view: View
    user: str | None
    waiting: int = 0
    told_to_retry: bool = False
    """Whether a client was told to send a second request."""
    asked_s: float = 0.0
    """The last time that a request waited for it."""


class _Claims:
    """Tells the processes which of them builds a session that takes long to start: no other builds the same one."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._process = secrets.token_hex(8)
        self._held: set[asyncio.Task[None]] = set()

    def hold(self, key: _Key, start: _Start) -> None:
        """Claim the session for this process and for its user, until it is built."""
        value = f"{self._process} {bearer_of(key[0], start.user)}".encode()
        task = asyncio.get_running_loop().create_task(self._hold(digest_of(*key), value, start.task))
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    async def _hold(self, key: str, value: bytes, build: asyncio.Task[Shown]) -> None:
        with suppress(CapacityError):  # no room to tell other processes; their claims and this one then expire
            if await self._shared.swap(CLAIMS, key, None, value, CLAIM_S) is not None:
                return
            while not (await asyncio.wait([build], timeout=CLAIM_S / 3))[0]:
                await self._shared.swap(CLAIMS, key, value, value, CLAIM_S)
            await self._shared.swap(CLAIMS, key, value, None, None)

    async def wait_until_free(self, key: _Key, user: str | None) -> None:
        """Wait until no other process builds the session. Raises ``AccessError`` if it is built for another user."""
        digest = digest_of(*key)
        revision = (await self._shared.changes(CLAIMS)).revision
        while True:
            [value] = await self._shared.get(CLAIMS, digest)
            process, _, bearer = (value or b"").decode().partition(" ")
            if process in ("", self._process):
                return
            if bearer != bearer_of(key[0], user):
                raise AccessError("This session belongs to another user")
            with suppress(TimeoutError):  # a claim that expires is no change
                async with asyncio.timeout(CLAIM_S):
                    revision = (await self._shared.changes(CLAIMS, revision)).revision


class Starts:
    """The sessions of one front that take long to start. Used on the event loop only.

    If another process builds a session, clients that come back to this one wait, too. No second session is built.
    """

    def __init__(self, shared: Shared) -> None:
        self._claims = _Claims(shared)
        self._starts: dict[_Key, _Start] = {}
        self._timers: dict[_Key, asyncio.TimerHandle] = {}

    async def show(self, scope: Scope, app: str, ticket: Ticket, view: View, open_session: Open, open_again: OpenAgain,
                   *, patient: bool = False) -> Shown | None:
        """Open and render a session by ``open_session``; return ``None`` if it takes too long.

        The client then requests the same session with ``retry_query``. If the session is ready before that, or was
        rendered as another view, ``open_again`` renders it again. A ``patient`` client waits without limit. Raises the
        errors of these two functions, and ``AccessError`` if another user began the start.
        """
        key = app, ticket.session_id
        known = self._known(scope, key)
        if known is not None:
            try:
                return await self._wait(key, known, view, open_again, patient=patient)
            except SessionGone:  # it was built, and expired before the client came back
                self._forget(key, known)
            except Exception:  # sent once: after a reload, the app is built again, as it may not fail any more
                self._forget(key, known)
                raise
        elif not await self._until_free(scope, key, patient=patient):
            return None
        task = asyncio.get_running_loop().create_task(open_session())
        task.add_done_callback(_retrieve)
        start = _Start(task, view, user_name(scope.get("user")))
        return await self._wait(key, start, view, open_again, patient=patient)

    async def wait_until_known(self, scope: Scope, app: str, ticket: Ticket) -> bool:
        """Wait for the end of a start, if one is known; ``False`` if it takes too long. Raises the start's errors.

        This never builds a session.
        """
        key = app, ticket.session_id
        start = self._known(scope, key)
        if start is None:
            return await self._until_free(scope, key)
        return await self._wait(key, start, start.view, None) is not None

    async def _until_free(self, scope: Scope, key: _Key, *, patient: bool = False) -> bool:
        """Wait while another process builds the session; ``False`` if it takes too long."""
        if not is_retry(scope):
            return True
        try:
            async with asyncio.timeout(None if patient else PATIENCE_S):
                await self._claims.wait_until_free(key, user_name(scope.get("user")))
        except TimeoutError:
            return False
        return True

    async def _wait(self, key: _Key, start: _Start, view: View, open_again: OpenAgain | None, *,
                    patient: bool = False) -> Shown | None:
        is_fresh = not start.task.done() and view == start.view
        start.waiting += 1
        try:
            async with asyncio.timeout(None if patient else PATIENCE_S) as limit:
                shown = await asyncio.shield(start.task)
                return shown if is_fresh or open_again is None else await open_again(shown)
        except TimeoutError:
            if not limit.expired():
                raise
            self._remember(key, start)
            return None
        except asyncio.CancelledError:
            if start.task.cancelled():
                raise RequestError("the server is stopping", status=503) from None
            if not start.told_to_retry and start.waiting == 1:
                start.task.cancel()
            raise
        finally:
            start.waiting -= 1
            start.asked_s = asyncio.get_running_loop().time()

    def _known(self, scope: Scope, key: _Key) -> _Start | None:
        start = self._starts.get(key) if is_retry(scope) else None
        if start is not None and start.user != user_name(scope.get("user")):
            raise AccessError("This session belongs to another user")
        return start

    def _remember(self, key: _Key, start: _Start) -> None:
        if start.told_to_retry:
            return
        start.told_to_retry = True
        if (other := self._starts.get(key)) is not None:
            self._forget(key, other)
        _log.info("%s takes more than %g s to start; its page says so, and waits", key[0], PATIENCE_S)
        self._starts[key] = start
        self._claims.hold(key, start)
        self._expire(key, start)

    def _expire(self, key: _Key, start: _Start) -> None:
        """Forget the start ``KEPT_S`` after the last request for it. Nobody waits for its build then."""
        loop = asyncio.get_running_loop()
        left_s = KEPT_S if start.waiting else start.asked_s + KEPT_S - loop.time()
        if self._starts.get(key) is not start:
            return
        if left_s <= 0:
            self._forget(key, start)
            start.task.cancel()
        else:
            self._timers[key] = loop.call_later(left_s, self._expire, key, start)

    def _forget(self, key: _Key, start: _Start) -> None:
        if self._starts.get(key) is start:
            del self._starts[key]
            if (timer := self._timers.pop(key, None)) is not None:
                timer.cancel()

    def close(self) -> None:
        """Forget all. Requests that still wait get an error: the server is stopping."""
        for key, start in list(self._starts.items()):
            self._forget(key, start)
            start.task.cancel()


def _retrieve(task: asyncio.Task[Shown]) -> None:
    # The requests that wait get the error, and the host has logged an app's exception.
    if not task.cancelled():
        task.exception()


def is_retry(scope: Scope) -> bool:
    """Whether an earlier response said that the app is starting."""
    return STARTING in arguments_of(scope.get("query_string", b""))


def retry_query(scope: Scope, ticket: Ticket) -> str:
    """The query of the next request for the same session. It is ASCII, and has no character that ends a URL."""
    query: bytes = scope.get("query_string", b"")
    if is_retry(scope):
        return quote(query, safe=_IN_QUERY)
    names = arguments_of(query)
    is_named = "bokeh-session-id" in names or "bokeh-token" in names or header(scope, b"bokeh-session-id") is not None
    added = f"{STARTING}={THEIRS}" if is_named else f"bokeh-session-id={ticket.session_id}&{STARTING}={OURS}"
    return quote(query, safe=_IN_QUERY) + ("&" if query else "") + added
