"""Tells all processes of a server which users have logged out, so that each closes the websockets of ended logins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote, unquote

from ...base.shared import Shared, Space
from ...base.tasks import start as start_task
from ...base.users import User

LOGOUTS = Space("logouts", most_entries=10_000, most_bytes=4 << 20)
"""By name of the user. Only the change counts; the entry means nothing."""
_TTL_S = 60.0


class Logouts:
    """Part of a front. ``close`` is called with the names of users for whom a login has ended, or with ``None`` if that
    can be anybody: other processes could not be reached for a while.
    """

    def __init__(self, shared: Shared, close: Callable[[frozenset[str] | None], None]) -> None:
        self._shared = shared
        self._close = close
        self._revision: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def report(self, user: User) -> None:
        """Report that a login of ``user`` has ended, to all processes including this one."""
        await self._shared.put(LOGOUTS, _key_of(user.name), b"", _TTL_S)

    async def start(self) -> None:
        """Listen from now on."""
        self._revision = (await self._shared.changes(LOGOUTS)).revision
        self._task = start_task("closing the websockets of users who have logged out", self._listen)

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()

    async def _listen(self) -> None:
        while True:
            changes = await self._shared.changes(LOGOUTS, self._revision)
            self._revision = changes.revision
            self._close(None if changes.keys is None else frozenset(map(_name_of, changes.keys)))


def _key_of(name: str) -> str:
    """Keys are UTF-8, which not every name is that a login provider sends."""
    return quote(name, errors="surrogatepass")


def _name_of(key: str) -> str:
    return unquote(key, errors="surrogatepass")
