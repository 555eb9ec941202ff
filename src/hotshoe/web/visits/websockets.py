"""Serves one websocket: checks its token, opens its session, then passes messages in both directions.

One task reads and one writes; when one ends, the other is cancelled. Nothing outlives ``Socket.run``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from ...base.addresses import network_of
from ...base.backlog import Backlog, Backlogs
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
from ...base.logs import UNKNOWN, PacedLog, origin_of, session_hash
from ...config.limit_table import LIMITS
from ...hosts.host import AppInfo, Attachment
from ...http.scopes import BACKLOG, BATCH, CLIENT_KNOWN, Receive, Scope, Send
from ...wire import Assembler, Close, Outgoing, close_reason, is_binary, notice
from .opening import Opener
from .tickets import Ticket

_log = PacedLog(logging.getLogger(__name__))

TOO_SLOW = 1013
"""The code with which a session closes the connection of a client that does not read."""
POLICY_VIOLATION = 1008
SESSION_ENDED = 1001
"""RFC 6455: going away."""
TOO_BIG = 1009


class DisconnectedError(Exception):
    """The client has disconnected: no close frame can be sent."""


class Socket:
    """A websocket whose handshake has been admitted to ``app``."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, app: AppInfo, opener: Opener, counters: Counters,
                 max_message_bytes: int, backlogs: Backlogs, keep_alive_s: float = 0) -> None:
        self.scope = scope
        """The ASGI scope, which contains the user."""
        self._receive = receive
        self._raw_send = send
        self._app = app
        self.url = app.url
        """The URL of its app."""
        self._opener = opener
        self._counters = counters
        self._assembler = Assembler(max_message_bytes)
        self._max_message_bytes = max_message_bytes
        self._session = UNKNOWN
        shared: Backlog | None = scope.get(BACKLOG)
        self._backlog = shared or Backlog(backlogs)
        self._counts_all = shared is None
        """Another server reads as it likes; we can only ask it for no more."""
        if scope.get(CLIENT_KNOWN) and scope.get("client"):
            self._backlog.move_to(network_of(scope["client"][0]))
        self._backlog.on_slow = self._refuse_slow
        self._sends_batches = BATCH in scope.get("extensions", ())
        # Our own server sends pings. Another server may not, so we send empty messages.
        self._silence_s = None if self._sends_batches or not keep_alive_s else keep_alive_s
        self._attached: asyncio.Future[Attachment] = asyncio.get_running_loop().create_future()
        self._closing: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    def close(self, code: int, reason: str) -> None:
        """Ask ``run`` to close the websocket and to return."""
        if not self._closing.done():
            self._closing.set_result(Close(code, reason))

    def _refuse_slow(self) -> None:
        self._counters.refuse(Refusal.MESSAGE)
        _log.warning("Closing the websocket of %s: half a message arrives too slowly", self.url)
        self.close(POLICY_VIOLATION, "message too slow")

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
            if error.close_code == TOO_BIG:
                self._log_too_big(error.detail)
            else:
                _log.warning("Closing the websocket of %s: %s", self.url, error.detail)
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
            _log.error("Closing the websocket of %s: unexpected error", self.url, exc_info=True, kind=origin_of(error))
            return Close(1011, "Internal error")
        finally:
            self._counters.bytes_in.add(self._assembler.take_size())
            if self._counts_all:
                self._backlog.close()
            else:
                self._backlog.set_in_hand(0, is_open=False)
            if self._attached.done() and not self._attached.cancelled():
                self._attached.result().detach()

    def _ticket(self) -> Ticket:
        token = token_of(self.scope)
        if token is None:
            raise ProtocolError("Subprotocol header is not 'bokeh'")
        if not token:
            raise RequestError("No token received in subprotocol header")
        ticket = self._opener.ticket_of(self.scope, self._app, token)
        self._session = session_hash(ticket.session_id)
        return ticket

    async def _read(self) -> Close:
        backlog, assembler = self._backlog, self._assembler
        while True:
            if self._counts_all:
                await self._room()
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                if event.get("code") == TOO_BIG and not self._counts_all:  # another server has limits of its own
                    self._log_too_big(event.get("reason") or "message too big")
                raise DisconnectedError
            text = event.get("text")
            fragment = event["bytes"] if text is None else text
            if self._counts_all:
                backlog.received_bytes += len(fragment)
            message = assembler.feed(fragment)
            del event, text, fragment  # they may be large
            if message is None:
                backlog.set_in_hand(_counted(assembler.size), is_open=True)
                continue
            size = assembler.take_size()
            self._counters.bytes_in.add(size)
            backlog.set_in_hand(_counted(size), is_open=False)
            attachment = await asyncio.shield(self._attached)
            attachment.handle(message)
            del message
            await attachment.ready()
            backlog.set_in_hand(0, is_open=False)

    def _log_too_big(self, detail: str) -> None:
        _log.warning("Closing the websocket of app %s, session %s: %s. --websocket-max-message-size is %d bytes now",
                     self.url, self._session, detail, self._max_message_bytes,
                     extra={"session": self._session, "app": self.url})

    async def _room(self) -> None:
        """Wait until all clients together have sent less that is not handled."""
        while not self._backlog.may_read():
            room = asyncio.Event()
            self._backlog.when_room(room.set)
            await room.wait()

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
            _log.warning("Closing the websocket of %s: %s", self.url, messages.reason)
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


def token_of(scope: Scope) -> str | None:
    """The token in the handshake of a websocket; ``None`` if it is not a handshake of Bokeh's."""
    offered: Sequence[str] = scope.get("subprotocols") or ()
    return offered[1] if len(offered) == 2 and offered[0] == "bokeh" else None


def _counted(size: int) -> int:
    return size if size > LIMITS.small_bytes else 0


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
