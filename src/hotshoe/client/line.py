"""A connection that is made anew when it breaks, with questions that are asked until they are answered."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..errors import ClientError, ClientTimeout, LostError, RefusedError
from ..wire import Incoming
from .addresses import Address
from .backoff import Backoff
from .channel import Channel, Closed, dial
from .credentials import Credentials
from .outbox import Outbox
from .replies import in_one_line

_log = logging.getLogger(__name__)

_FINAL_CODES = frozenset({1002, 1003, 1007, 1008, 1009})
"""What we have sent is at fault: it would be at fault again."""

_LARGE_BYTES = 65_536
_STRIKES_MOST = 4
"""A server that finds a message too large may reset the connection before it has said so; it would do so for ever."""

T = TypeVar("T")
Handle = Callable[[Incoming], Awaitable[T]]
Put = Callable[[str], Awaitable[None]]
"""Puts the question of this id into the outbox."""


class Listener(Protocol):
    """Who uses the line. All of it is called on the loop."""

    async def hear(self, message: Incoming) -> None:
        """A message that answers no question. The next is not read before this returns."""

    async def resume(self) -> None:
        """There is a connection again; ``Line.ask_now`` works already. Raises if it is of no use."""

    async def cut(self) -> None:
        """The connection has ended."""

    async def lost(self, error: LostError) -> None:
        """It will not come back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How to connect, and how long to wait."""

    address: Address
    credentials: Credentials
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None
    max_message_bytes: int
    timeout_s: float | None
    """For each attempt to connect and each answer."""
    reconnect_s: float
    """How long to go on trying when the connection has ended."""


class _CutError(Exception):
    """The connection ended before the answer came."""


@dataclass(slots=True)
class _Question:
    future: asyncio.Future[Any]
    handle: Handle[Any]


class Line:
    """Open it once; it ends with ``close``, or when the listener is told that it is lost."""

    def __init__(self, terms: Terms, listener: Listener) -> None:
        self._terms = terms
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._waiting = asyncio.Event()
        self._ready = asyncio.Event()
        self._questions: dict[str, _Question] = {}
        self._ids = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._channel: Channel | None = None
        self._largest_bytes = 0
        """The largest message that was sent on this connection."""
        self._strikes = 0
        """How many connections in a row were cut after a large message."""
        self.outbox = Outbox(self._wake)
        self.error: LostError | None = None
        self.closed = False

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._waiting.set)

    @property
    def connected(self) -> bool:
        """Whether there is a connection in use."""
        return self._ready.is_set() and self.error is None and not self.closed

    async def open(self) -> None:
        """Connect, if that has not been done. Raises ``ClientError``."""
        if self._task is None:
            channel = await self._dial()
            self._terms.credentials.may_ask = False  # from now on it is this session or none
            self._ready.set()
            self._task = asyncio.create_task(self._run(channel))

    async def close(self) -> None:
        """End it. What waits to be sent is forgotten."""
        self.closed = True
        self._ready.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()
        self._fail(ClientError("the session is closed"))
        self.outbox.cut()

    def new_id(self) -> str:
        """The id for a message. May be called from any thread."""
        return f"{id(self):x}-{next(self._ids)}"

    async def ask(self, put: Put, handle: Handle[T]) -> T:
        """Ask, once more after each reconnect, until there is an answer; what ``handle`` makes of it."""
        async with self._deadline():
            while True:
                await self._ready.wait()
                self.check()
                try:
                    return await self.ask_now(put, handle)
                except _CutError:
                    continue

    async def ask_now(self, put: Put, handle: Handle[T]) -> T:
        """Ask on the connection that there is."""
        msgid = self.new_id()
        question = self._questions[msgid] = _Question(self._loop.create_future(), handle)
        try:
            await put(msgid)
            result: T = await question.future
            return result
        finally:
            self._questions.pop(msgid, None)

    def check(self) -> None:
        """Raises if there will be no connection any more."""
        if self.error is not None:
            raise LostError(str(self.error))
        if self.closed:
            raise ClientError("the session is closed")

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._terms.timeout_s):
                yield
        except TimeoutError as error:
            if isinstance(error, ClientError):
                raise
            text = f"{self._terms.address.page} has not answered within {self._terms.timeout_s:g} s"
            raise ClientTimeout(text) from None

    # -- the life of the line

    async def _dial(self) -> Channel:
        terms = self._terms
        try:
            return await self._dial_once(await terms.credentials.token())
        except RefusedError as error:
            if error.status not in {None, 403} or not await terms.credentials.refused():
                raise
            return await self._dial_once(await terms.credentials.token())

    async def _dial_once(self, token: str) -> Channel:
        terms = self._terms
        return await dial(terms.address, token, headers=terms.headers, tls=terms.tls,
                          max_message_bytes=terms.max_message_bytes, timeout_s=terms.timeout_s)

    async def _run(self, channel: Channel) -> None:
        try:
            error = await self._live(channel)
        except Exception as failure:
            _log.exception("A session at %s has failed", self._terms.address.page)
            error = self._lost(f"{type(failure).__name__}: {failure}")
        self.error = error
        self._ready.set()
        self._fail(LostError(str(error)))
        await self._listener.lost(error)

    async def _live(self, channel: Channel) -> LostError:
        backoff = Backoff(self._terms.reconnect_s)
        parts: tuple[Callable[[], Awaitable[None]], ...] = ()
        while True:
            backoff.connected()
            self._channel = channel
            why = await self._serve(channel, *parts)
            channel.abort()
            self._channel = None
            self._ready.clear()
            await self._listener.cut()
            self._fail(_CutError())
            backoff.cut()
            found = await self._redial(backoff, why)
            if isinstance(found, LostError):
                return found
            channel, parts = found, (self._resume,)

    async def _serve(self, channel: Channel, *parts: Callable[[], Awaitable[None]]) -> Exception:
        """Work until the connection ends; why it has."""
        self._waiting.set()
        self._largest_bytes = 0
        tasks = [asyncio.ensure_future(part) for part in
                 (self._read(channel), self._write(channel), *(part() for part in parts))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            error = next(task.exception() for task in done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not isinstance(error, Exception):
            raise error or AssertionError("a part of the line has ended")
        if not isinstance(error, Closed | ClientError | _CutError):
            _log.error("A connection to %s has failed", self._terms.address.page, exc_info=error)
        return error

    async def _resume(self) -> None:
        async with self._deadline():
            await self._listener.resume()
        self._ready.set()
        await asyncio.Event().wait()

    async def _read(self, channel: Channel) -> None:
        while True:
            message = await channel.receive()
            question = self._questions.pop(message.reqid or "", None)
            if question is None:
                await self._listener.hear(message)
            elif not question.future.done():
                await _answer(question, message)

    async def _write(self, channel: Channel) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            while (item := self.outbox.take()) is not None:
                self._largest_bytes = max(self._largest_bytes, item.size_bytes)
                await channel.send(item.fragments)

    async def _redial(self, backoff: Backoff, why: Exception) -> Channel | LostError:
        if (reason := _final_reason(why) or self._repeated(why)) is not None:
            return self._lost(reason)
        while (delay_s := backoff.delay_s()) is not None and self._terms.reconnect_s > 0:
            await asyncio.sleep(delay_s)
            try:
                return await self._dial()
            except ClientError as error:
                why = error
                if _is_refusal(error):
                    break
        return self._lost(str(why) or "the connection was cut")

    def _repeated(self, why: Exception) -> str | None:
        is_strike = isinstance(why, Closed) and why.code is None and self._largest_bytes > _LARGE_BYTES
        self._strikes = self._strikes + 1 if is_strike else 0
        if self._strikes < _STRIKES_MOST:
            return None
        return (f"it was cut {self._strikes} times when it was sent {self._largest_bytes:,} bytes; the "
                "server may take none as large (--websocket-max-message-size raises that)")

    def _lost(self, reason: str) -> LostError:
        return LostError(f"the session at {self._terms.address.page} is lost: {reason}")

    def _fail(self, error: Exception) -> None:
        questions, self._questions = self._questions, {}
        for question in questions.values():
            if not question.future.done():
                question.future.set_exception(error)
                question.future.exception()  # whoever asked may have gone


async def _answer(question: _Question, message: Incoming) -> None:
    try:
        result = await question.handle(message)
    except Exception as error:
        if not question.future.done():
            question.future.set_exception(error)
    else:
        if not question.future.done():
            question.future.set_result(result)


def _final_reason(error: Exception) -> str | None:
    """Why it makes no sense to connect again; ``None`` if it does."""
    if not isinstance(error, Closed):
        return None
    if error.too_big:
        return "the server has sent more at once than max_message_size= allows"
    if error.code == 1009:
        return "the server takes no message as large as one that was sent (--websocket-max-message-size raises that)"
    return (in_one_line(error.reason) or f"closed with code {error.code}") if error.code in _FINAL_CODES else None


def _is_refusal(error: ClientError) -> bool:
    """Whether a server that runs says no, rather than one that starts or stops, or a proxy before it."""
    if not isinstance(error, RefusedError):
        return False
    if error.status is None:
        return error.code in {1002, 1005, 1008}
    return error.status < 500 and error.status not in {408, 425, 429}
