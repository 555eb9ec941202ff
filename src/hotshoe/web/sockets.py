"""One websocket: origin, token, session, then a pump between the socket and the session's attachment.

Two tasks per socket, one that reads and one that writes; whichever ends first ends the other. Nothing outlives
``Socket.run``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from ..errors import BuildError, CapacityError, ProtocolError, RemoteError, RequestError, SessionGone
from ..hosts.host import Attachment
from ..wire import Assembler, Close, Outgoing, close_reason, is_binary, notice
from .answers import Answer, Receive, Scope, Send, text
from .sending import BATCH
from .tickets import Ticket
from .visits import Visits

_log = logging.getLogger(__name__)

SESSION_ENDED = 1001
"""RFC 6455: the other side goes away."""


class DisconnectedError(Exception):
    """The peer is gone; there is nobody left to tell."""


class Socket:
    """A websocket whose handshake has been admitted to ``app``."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, app: str, visits: Visits,
                 max_message_bytes: int, keep_alive_s: float = 0) -> None:
        self._scope = scope
        self._receive = receive
        self._raw_send = send
        self._app = app
        self._visits = visits
        self._assembler = Assembler(max_message_bytes)
        self._sends_batches = BATCH in scope.get("extensions", ())
        # Our own server pings; of another, nobody knows.
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
        offered: Sequence[str] = self._scope.get("subprotocols") or ()
        echoed = offered[0] if len(offered) == 2 else None
        await self._tell({"type": "websocket.accept", "subprotocol": echoed})

    async def _serve(self) -> Close:
        try:
            ticket = self._ticket()
            return await first(self._read(), self._write(ticket), self._closing)
        except CapacityError as error:  # the host logs it, now and then
            return Close(error.close_code, error.detail)
        except RemoteError as error:
            _log.warning("Closing the websocket of %s: %s", self._app, error.detail)
            return Close(error.close_code, error.detail)
        except BuildError as error:
            return Close(1011, f"The app failed to build its document (error {error.error_id})")
        except SessionGone:
            return Close(SESSION_ENDED, "The session has ended")
        except DisconnectedError:
            raise
        except Exception:
            _log.exception("Closing the websocket of %s: unexpected error", self._app)
            return Close(1011, "Internal error")
        finally:
            if self._attached.done() and not self._attached.cancelled():
                self._attached.result().detach()

    def _ticket(self) -> Ticket:
        offered: Sequence[str] = self._scope.get("subprotocols") or ()
        if len(offered) != 2 or offered[0] != "bokeh":
            raise ProtocolError("Subprotocol header is not 'bokeh'")
        if not offered[1]:
            raise RequestError("No token received in subprotocol header")
        return self._visits.ticket_of(offered[1])

    async def _read(self) -> Close:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                raise DisconnectedError
            fragment = event.get("text")
            message = self._assembler.feed(event["bytes"] if fragment is None else fragment)
            if message is not None:
                attachment = await asyncio.shield(self._attached)
                attachment.handle(message)
                await attachment.ready()

    async def _write(self, ticket: Ticket) -> Close:
        attachment = await self._visits.attach(self._scope, self._app, ticket)
        self._attached.set_result(attachment)
        send = self._send_batch if self._sends_batches else self._send_frames
        receive = attachment.receive if self._silence_s is None else partial(self._next, attachment)
        while not isinstance(messages := await receive(), Close):
            await send(messages)
            del messages  # a whole document, perhaps, that must not wait here for what comes next
        # The session closes because it has ended, or because a message has a content that it can't have.
        return messages if messages.code == SESSION_ENDED else self._complained(messages)

    def _complained(self, close: Close) -> Close:
        _log.warning("Closing the websocket of %s: %s", self._app, close.reason)
        return close

    async def _next(self, attachment: Attachment) -> Sequence[Outgoing] | Close:
        """What is to be sent next: after a long silence a message that says nothing, to keep proxies awake."""
        try:
            async with asyncio.timeout(self._silence_s):
                return await attachment.receive()
        except TimeoutError:
            return [notice({})]

    async def _send_batch(self, messages: Sequence[Outgoing]) -> None:
        fragments = [(data, is_binary(index)) for message in messages for index, data in enumerate(message)]
        if fragments:
            await self._tell({"type": BATCH, "fragments": fragments})

    async def _send_frames(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            for index, data in enumerate(message):
                if is_binary(index):
                    await self._tell({"type": "websocket.send", "bytes": bytes(data)})
                else:
                    await self._tell({"type": "websocket.send", "text": str(data, "utf-8")})

    async def _tell(self, event: dict[str, Any]) -> None:
        try:
            await self._raw_send(event)
        except OSError as error:  # ASGI: the peer is gone
            raise DisconnectedError from error

    async def _close(self, close: Close) -> None:
        await self._tell({"type": "websocket.close", "code": close.code, "reason": close_reason(close.reason)})


async def refuse(scope: Scope, send: Send, answer: Answer) -> None:
    """Answer a handshake with plain HTTP, where the server can; else it becomes a bare 403."""
    if "websocket.http.response" not in scope.get("extensions", ()):
        reason = close_reason(answer.body.decode())
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": answer.raw_headers()})
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def refuse_text(scope: Scope, send: Send, detail: str, status: int) -> None:
    """``refuse`` with one line of text."""
    await refuse(scope, send, text(detail, status))


async def first(*parts: Coroutine[Any, Any, Close] | asyncio.Future[Close]) -> Close:
    """The outcome of the part that ends first; the others are cancelled and have ended when this returns.

    When several end at once, an error wins over an outcome, in the order given.
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
