"""A client's place in a session: the messages that wait to be sent to it, and what it has missed.

Lanes write messages into the outbox, the front reads them on the event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from .. import wire
from ..base.threads import post
from ..wire.messages import Close, Outgoing
from .lag import Lag

SESSION_ENDED = Close(1001, "the session has ended")

WAITING_BYTES_MOST = 2**20
"""How much may wait for one connection before it counts as slow. One message beyond this is accepted."""


class Outbox:
    """Whole messages in order, and perhaps the order to close after them. Nothing here waits for a socket.

    Methods may be called from any thread, but ``receive`` and ``ready`` only on the loop, each by one task at a time.
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
        """Whether too much waited, and not all of it has been sent yet."""
        self.is_drained = False
        """Whether all of that has been sent, and nothing was put in since."""

    def put(self, messages: Sequence[Outgoing]) -> bool:
        """Queue messages; ``True`` if too much waits now. After ``close`` they are dropped."""
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
        """Let the websocket be closed after the messages that wait. Only the first call counts."""
        with self._mutex:
            if self._close is None:
                self._close = Close(code, reason)
        post(self._loop, self._wake_reader)
        post(self._loop, self._wake_writer)

    def drain(self) -> bool:
        """Note that all received messages have been sent; ``True`` if too much waited before, and nothing does now."""
        with self._mutex:
            if self._messages or not self.is_over:
                return False
            self.is_over, self.is_drained = False, True
            return True

    async def ready(self) -> None:
        """Wait until there is room: a client that does not read must not ask for more. On the loop."""
        while self._bytes > WAITING_BYTES_MOST and self._close is None:
            self._taken = self._loop.create_future()
            await self._taken

    async def receive(self) -> list[Outgoing] | Close:
        """Wait for messages, and take all of them, or the order to close."""
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
                # From now on, ``put`` and ``close`` wake this task by way of the loop.
                self._arrived = self._loop.create_future()
            del messages
            await self._arrived

    def _wake_reader(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _wake_writer(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)


class Subscriber:
    """A client of a session, as the session sees it. Its own messages come through its ``Connection``."""

    __slots__ = ("lag", "outbox")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.outbox = Outbox(loop)
        self.lag: Lag | None = None
        """What it has missed, if it can't keep up: it is sent once the outbox is drained."""

    def greet(self) -> None:
        """Queue the ACK, the first message of each connection."""
        self.outbox.put([wire.ack()])

    def end(self) -> None:
        """Close the websocket, since the session has ended."""
        self.outbox.close(SESSION_ENDED.code, SESSION_ENDED.reason)
