"""Django's database connections on the threads that run apps: given back as at the end of a request.

Connections belong to threads. What is open when a piece of an app has ended is kept for ``CONN_MAX_AGE`` at most, and
no longer than its thread.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections

from ...sessions import housekeeping


class Connections:
    """A housekeeper."""

    def tidy(self) -> float | None:
        """Close what Django closes between two requests. The next to get too old must not do so on an idle thread."""
        ends_s: list[float] = []
        for connection in connections.all(initialized_only=True):
            connection.queries_log.clear()  # with DEBUG
            connection.close_if_unusable_or_obsolete()
            if connection.connection is not None and connection.close_at is not None:
                ends_s.append(connection.close_at)
        return min(ends_s) - time.monotonic() if ends_s else None

    def leave(self) -> None:
        """The thread ends."""
        connections.close_all()

    @asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        """``async def`` code gets a thread of its own for the ORM, as each request does, once it uses it."""
        async with ThreadSensitiveContext() as context:
            try:
                yield
            finally:
                if context in SyncToAsync.context_to_thread_executor:
                    await sync_to_async(connections.close_all)()


_CONNECTIONS = Connections()


def tend_connections() -> None:
    """From now on, in this process."""
    housekeeping.register(_CONNECTIONS)
