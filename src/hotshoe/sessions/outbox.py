"""What waits to be sent to one connection: written by lanes, read by the front on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from ..wire.messages import Close, Outgoing
from .threads import post

WAITING_BYTES_MOST = 2**20
"""What may wait for one connection before it counts as slow. One message more than this is taken."""


class Outbox:
    """Whole messages in order, then perhaps the order to close. Nothing here waits for a socket.

    Methods may be called from any thread, ``receive`` and ``ready`` only on the loop, each by one task at a time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._mutex = threading.Lock()
        self._messages: list[Outgoing] = []
        self._bytes = 0
        self._close: Close | None = None
        self._signalled = False
        # An asyncio.Event takes 1 KB, and there is a connection for each session.
        self._arrived: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None
        self.is_over = False
        """Whether more waited than should, and it has not all been sent yet."""
        self.is_drained = False
        """Whether all has been sent since it was over, and nothing was put in yet."""

    def put(self, messages: Sequence[Outgoing]) -> bool:
        """Queue messages behind those that wait; whether that is too much. After ``close`` they are dropped."""
        with self._mutex:
            if self._close is not None or not messages:
                return False
            self._messages.extend(messages)
            self._bytes += sum(len(fragment) for message in messages for fragment in message)
            self.is_drained = False
            self.is_over = over = self.is_over or self._bytes > WAITING_BYTES_MOST
            if self._signalled:
                return over
            self._signalled = True
        post(self._loop, self._wake_reader)
        return over

    def close(self, code: int, reason: str) -> None:
        """Have the websocket closed once what waits is sent. The first call counts."""
        with self._mutex:
            if self._close is None:
                self._close = Close(code, reason)
        post(self._loop, self._wake_reader)
        post(self._loop, self._wake_writer)

    def drain(self) -> bool:
        """All that was received has been sent: whether that ends a time in which too much waited."""
        with self._mutex:
            if self._messages or not self.is_over:
                return False
            self.is_over, self.is_drained = False, True
            return True

    async def ready(self) -> None:
        """Wait until not too much waits, for whoever would add to it by asking. On the loop."""
        while self._bytes > WAITING_BYTES_MOST and self._close is None:
            self._taken = self._loop.create_future()
            await self._taken

    async def receive(self) -> list[Outgoing] | Close:
        """All that waits, or the order to close; waits until there is one of them."""
        while True:
            with self._mutex:
                messages, self._messages = self._messages, []
                self._bytes = 0
                self._signalled = False
                self._wake_writer()
                if messages:
                    return messages
                if self._close is not None:
                    return self._close
                # Whoever puts something in from now on wakes it, by way of the loop.
                self._arrived = self._loop.create_future()
            del messages
            await self._arrived

    def _wake_reader(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _wake_writer(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
