"""Serves one websocket: checks its token, opens its session, then passes messages in both directions.

One task reads and one writes; when one ends, the other is cancelled. Nothing outlives ``Socket.run``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from ...base.counters import Counters, Refusal
from ...base.errors import (
    BuildError,
    CapacityError,
    InternalError,
    ProtocolError,
    RemoteError,
    RequestError,
    SessionGone,
)
from ...base.logs import PacedLog, origin_of
from ...hosts.host import Attachment
from ...http.scopes import BATCH, Receive, Scope, Send
from ...wire import Assembler, Close, Outgoing, close_reason, is_binary, notice
from .opening import Opener
from .tickets import Ticket

_log = PacedLog(logging.getLogger(__name__))

TOO_SLOW = 1013
"""The code with which a session closes the connection of a client that does not read."""
SESSION_ENDED = 1001
"""RFC 6455: going away."""


class DisconnectedError(Exception):
    """The client has disconnected: no close frame can be sent."""


class Socket:
    """A websocket whose handshake has been admitted to ``app``."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, app: str, opener: Opener, counters: Counters,
                 max_message_bytes: int, keep_alive_s: float = 0) -> None:
        self.scope = scope
        """The ASGI scope, which contains the user."""
        self._receive = receive
        self._raw_send = send
        self._app = app
        self._opener = opener
        self._counters = counters
        self._assembler = Assembler(max_message_bytes)
        self._sends_batches = BATCH in scope.get("extensions", ())
        # Our own server sends pings. Another server may not, so we send empty messages.
        self._silence_s = None if self._sends_batches or not keep_alive_s else keep_alive_s
        self._attached: asyncio.Future[Attachment] = asyncio.get_running_loop().create_future()
        self._closing: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    def close(self, code: int, reason: str) -> None:
        """Ask ``run`` to close the websocket and to return."""
        if not self._closing.done():
            self._closing.set_result(Close(code, reason))

    async def run(self) -> None:
        """Accept the websocket and serve it until it ends."""
        try:
            await self._accept()
            await self._close(await self._serve())
        except DisconnectedError:
            return

    async def _accept(self) -> None:
        offered: Sequence[str] = self.scope.get("subprotocols") or ()
        echoed = offered[0] if len(offered) == 2 else None
        await self._send({"type": "websocket.accept", "subprotocol": echoed})

    async def _serve(self) -> Close:
        try:
            with self._counters.count_refusals():
                ticket = self._ticket()
                return await first(self._read(), self._write(ticket), self._closing)
        except CapacityError as error:  # logged by Capacity
            return Close(error.close_code, error.detail)
        except RemoteError as error:
            _log.warning("Closing the websocket of %s: %s", self._app, error.detail)
            return Close(error.close_code, error.detail)
        except BuildError as error:
            return Close(1011, f"The app failed to build its document (error {error.error_id})")
        except SessionGone:
            return Close(SESSION_ENDED, "The session has ended")
        except InternalError as error:  # logged by the host
            return Close(1011, f"Internal error {error.error_id}")
        except DisconnectedError:
            raise
        except Exception as error:
            _log.error("Closing the websocket of %s: unexpected error", self._app, exc_info=True, kind=origin_of(error))
            return Close(1011, "Internal error")
        finally:
            self._counters.bytes_in.add(self._assembler.take_size())
            if self._attached.done() and not self._attached.cancelled():
                self._attached.result().detach()

    def _ticket(self) -> Ticket:
        offered: Sequence[str] = self.scope.get("subprotocols") or ()
        if len(offered) != 2 or offered[0] != "bokeh":
            raise ProtocolError("Subprotocol header is not 'bokeh'")
        if not offered[1]:
            raise RequestError("No token received in subprotocol header")
        return self._opener.ticket_of(offered[1])

    async def _read(self) -> Close:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                raise DisconnectedError
            fragment = event.get("text")
            message = self._assembler.feed(event["bytes"] if fragment is None else fragment)
            if message is not None:
                self._counters.bytes_in.add(self._assembler.take_size())
                attachment = await asyncio.shield(self._attached)
                attachment.handle(message)
                await attachment.ready()

    async def _write(self, ticket: Ticket) -> Close:
        attachment = await self._opener.attach(self.scope, self._app, ticket)
        self._attached.set_result(attachment)
        send = self._send_batch if self._sends_batches else self._send_frames
        receive = attachment.receive if self._silence_s is None else partial(self._next, attachment)
        while not isinstance(messages := await receive(), Close):
            await send(messages)
            del messages  # it may be a whole document, which must not stay in memory until the next message
        if messages.code != SESSION_ENDED:  # the session refuses a message, or the client is too slow
            self._counters.refuse(Refusal.STALLED if messages.code == TOO_SLOW else Refusal.MESSAGE)
            _log.warning("Closing the websocket of %s: %s", self._app, messages.reason)
        return messages

    async def _next(self, attachment: Attachment) -> Sequence[Outgoing] | Close:
        """The next messages to send: after a long silence an empty notice, so that proxies keep the connection open."""
        try:
            async with asyncio.timeout(self._silence_s):
                return await attachment.receive()
        except TimeoutError:
            return [notice({})]

    async def _send_batch(self, messages: Sequence[Outgoing]) -> None:
        fragments = [(data, is_binary(index)) for message in messages for index, data in enumerate(message)]
        if fragments:
            self._counters.bytes_out.add(sum([len(data) for data, _ in fragments]))
            await self._send({"type": BATCH, "fragments": fragments})

    async def _send_frames(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            self._counters.bytes_out.add(sum(map(len, message)))
            for index, data in enumerate(message):
                if is_binary(index):
                    await self._send({"type": "websocket.send", "bytes": bytes(data)})
                else:
                    await self._send({"type": "websocket.send", "text": str(data, "utf-8")})

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            await self._raw_send(event)
        except OSError as error:  # ASGI: the client has disconnected
            raise DisconnectedError from error

    async def _close(self, close: Close) -> None:
        await self._send({"type": "websocket.close", "code": close.code, "reason": close_reason(close.reason)})


async def first(*parts: Coroutine[Any, Any, Close] | asyncio.Future[Close]) -> Close:
    """Wait for the part that ends first, and return its outcome; the others are cancelled and have ended by then.

    If several end at once, the first error among them is raised, in the order given.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done = [task for task in tasks if task.done()]
        failed = next((task for task in done if task.exception() is not None), done[0])
        return failed.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
