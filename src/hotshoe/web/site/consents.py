"""Remembers for a second that the site lets a client open an app, because a page requests dozens of files.

A consent is valid for one app and for equal requests, so that a site can't have meant another client. A refusal is not
remembered.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from ...http.scopes import Scope

KEPT_S = 1.0
"""For this long, a client may still get files after it has logged out."""
MOST = 4096
_FILE_HEADERS = frozenset({
    b"accept", b"accept-encoding", b"cache-control", b"pragma", b"priority", b"sec-fetch-dest", b"range", b"if-match",
    b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"})
"""Headers that differ from file to file; no site tells clients apart by them. All other headers must be equal."""
_SCOPE_KEYS = frozenset({"user", "auth", "session"})

_T = TypeVar("_T")


def client_key(scope: Scope, app: str) -> bytes | None:
    """A key for the client of an app; ``None`` if the site may identify the client by more than the request itself."""
    if _SCOPE_KEYS & scope.keys() or "tls" in scope.get("extensions", ()):
        return None
    headers = [pair for pair in scope["headers"] if pair[0] not in _FILE_HEADERS]
    client = scope.get("client")
    parts = (app, scope.get("scheme"), scope.get("root_path"), client and client[0], scope.get("query_string"), headers)
    return blake2b(repr(parts).encode(), digest_size=32).digest()


class Consents(Generic[_T]):
    """The site's recent answers, and open questions. For one event loop at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, asyncio.Task[_T]]] = OrderedDict()
        self._asking: set[asyncio.Task[_T]] = set()

    def __len__(self) -> int:
        return len(self._answers)

    async def get(self, client: Hashable, ask: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """The answer to a question that was asked less than ``KEPT_S`` ago; else ask now.

        Raises what ``ask`` raises, in all calls that wait for the same answer.
        """
        known = self._answers.get(client)
        now_s, loop = self._clock(), asyncio.get_running_loop()
        if known is not None and now_s - known[0] < KEPT_S and known[1].get_loop() is loop:
            return await asyncio.shield(known[1])
        answer = loop.create_task(ask())  # a task of its own, as the request that asks may be cancelled
        self._asking.add(answer)
        answer.add_done_callback(partial(self._end, client))
        self._answers[client] = now_s, answer
        self._answers.move_to_end(client)
        if len(self._answers) > MOST:
            self._answers.popitem(last=False)
        loop.call_later(KEPT_S, self._forget, client, answer)
        return await asyncio.shield(answer)

    def _end(self, client: Hashable, answer: asyncio.Task[_T]) -> None:
        self._asking.discard(answer)
        if answer.cancelled() or answer.exception() is not None:
            self._forget(client, answer)

    def _forget(self, client: Hashable, answer: asyncio.Task[_T]) -> None:
        if (known := self._answers.get(client)) is not None and known[1] is answer:
            del self._answers[client]
