"""A connection that is made again when it breaks, and questions that are repeated until they are answered."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..base.errors import ClientError, ClientTimeout, LostError, RefusedError
from ..wire import Incoming
from .send_queue import SendQueue
from .terms import Terms
from .websocket import Closed, MessageSocket, dial, printable_line

_log = logging.getLogger(__name__)

_FINAL_CODES = frozenset({1002, 1003, 1007, 1008, 1009})
"""Close codes that blame what we have sent: it would fail again."""

_LARGE_BYTES = 65_536
_MOST_LARGE_CUTS = 4
"""A server may reset the connection because a message is too large, without a close code. It would do so for ever."""

FIRST_S = 0.2
LONGEST_S = 10.0
STABLE_S = 5.0
"""A connection that has lasted so long was a good one."""

T = TypeVar("T")
Handle = Callable[[Incoming], Awaitable[T]]
Put = Callable[[str], Awaitable[None]]
"""Puts the question with this id into the queue."""


class Listener(Protocol):
    """The user of a line. All methods are called on the event loop."""

    async def handle_message(self, message: Incoming) -> None:
        """Called with a message that answers no question. The next message is read after this returns."""

    async def handle_reconnect(self) -> None:
        """Called when there is a connection again; ``Line.ask_now`` works. Raises if the connection is of no use."""

    async def handle_cut(self) -> None:
        """Called when the connection has ended."""

    async def handle_loss(self, error: LostError) -> None:
        """Called when there will be no connection any more."""


class _CutError(Exception):
    """The connection ended before the answer came."""


@dataclass(slots=True)
class _Question:
    future: asyncio.Future[Any]
    handle: Handle[Any]


class Line:
    """Open it once. It ends with ``close``, or with ``Listener.handle_loss``."""

    def __init__(self, terms: Terms, listener: Listener) -> None:
        self._terms = terms
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._waiting = asyncio.Event()
        self._ready = asyncio.Event()
        self._questions: dict[str, _Question] = {}
        self._ids = itertools.count(1)
        self._opening = asyncio.Lock()
        self._dialling: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._socket: MessageSocket | None = None
        self._largest_bytes = 0
        """The largest message that was sent on this connection."""
        self._large_cuts = 0
        """Connections in a row that were cut after a large message."""
        self.queue = SendQueue(self._wake)
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
        """Connect, unless there is a connection. Concurrent calls share one. Raises ``ClientError``."""
        async with self._opening:
            self.check()
            if self._task is None:
                self._dialling = asyncio.create_task(self._connect())
                try:
                    await self._dialling
                except asyncio.CancelledError:
                    task = asyncio.current_task()
                    if task is None or not task.cancelling():  # then close() has cancelled it, and not the caller
                        self.check()
                    raise

    async def _connect(self) -> None:
        self._socket = await self._dial()
        # No await from here on: a connection is either aborted by dial(), or closed by close().
        self._terms.credentials.may_ask = False  # from now on, no other session will do
        self._ready.set()
        self._task = asyncio.create_task(self._run(self._socket))

    async def close(self) -> None:
        """End it. Messages that wait to be sent are dropped."""
        self.closed = True
        self._ready.set()
        try:
            await _cancel(self._dialling)
            await _cancel(self._task)
            if self._socket is not None:
                await self._socket.close()
        except BaseException:
            if self._socket is not None:
                self._socket.abort()
            raise
        finally:
            self._fail_questions(ClientError("the session is closed"))
            self.queue.clear()

    def new_id(self) -> str:
        """A new id for a message. May be called from any thread."""
        return f"{id(self):x}-{next(self._ids)}"

    async def ask(self, put: Put, handle: Handle[T]) -> T:
        """Ask, and again after each reconnect, until there is an answer. Returns what ``handle`` returns for it."""
        async with self._deadline():
            while True:
                await self._ready.wait()
                self.check()
                try:
                    return await self.ask_now(put, handle)
                except _CutError:
                    continue

    async def ask_now(self, put: Put, handle: Handle[T]) -> T:
        """Ask on the present connection."""
        msgid = self.new_id()
        question = self._questions[msgid] = _Question(self._loop.create_future(), handle)
        try:
            await put(msgid)
            result: T = await question.future
            return result
        finally:
            self._questions.pop(msgid, None)

    def check(self) -> None:
        """Raise ``ClientError`` if there will be no connection any more."""
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

    async def _dial(self) -> MessageSocket:
        credentials = self._terms.credentials
        try:
            return await dial(self._terms, await credentials.token())
        except RefusedError as error:
            if error.status not in {None, 403} or not await credentials.replace():
                raise
            return await dial(self._terms, await credentials.token())

    async def _run(self, socket: MessageSocket) -> None:
        try:
            error = await self._stay_connected(socket)
        except Exception as failure:
            _log.exception("A session at %s failed", self._terms.address.page)
            error = self._lost_error(f"{type(failure).__name__}: {failure}")
        self.error = error
        self._ready.set()
        self._fail_questions(LostError(str(error)))
        await self._listener.handle_loss(error)

    async def _stay_connected(self, socket: MessageSocket) -> LostError:
        backoff = Backoff(self._terms.reconnect_s)
        parts: tuple[Callable[[], Awaitable[None]], ...] = ()
        while True:
            backoff.connected()
            self._socket = socket
            why = await self._serve(socket, *parts)
            socket.abort()
            self._socket = None
            self._ready.clear()
            await self._listener.handle_cut()
            self._fail_questions(_CutError())
            backoff.cut()
            found = await self._redial(backoff, why)
            if isinstance(found, LostError):
                return found
            socket, parts = found, (self._resume,)

    async def _serve(self, socket: MessageSocket, *parts: Callable[[], Awaitable[None]]) -> Exception:
        """Read and write until the connection ends. Returns the reason."""
        self._waiting.set()
        self._largest_bytes = 0
        tasks = [asyncio.ensure_future(part) for part in
                 (self._read(socket), self._write(socket), *(part() for part in parts))]
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
            _log.error("A connection to %s failed", self._terms.address.page, exc_info=error)
        return error

    async def _resume(self) -> None:
        async with self._deadline():
            await self._listener.handle_reconnect()
        self._ready.set()
        await asyncio.Event().wait()

    async def _read(self, socket: MessageSocket) -> None:
        while True:
            message = await socket.receive()
            question = self._questions.pop(message.reqid or "", None)
            if question is None:
                await self._listener.handle_message(message)
            elif not question.future.done():
                await _answer(question, message)

    async def _write(self, socket: MessageSocket) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            while (item := self.queue.take()) is not None:
                self._largest_bytes = max(self._largest_bytes, item.size_bytes)
                await socket.send(item.fragments)

    async def _redial(self, backoff: Backoff, why: Exception) -> MessageSocket | LostError:
        if (reason := _final_reason(why) or self._large_cut_reason(why)) is not None:
            return self._lost_error(reason)
        while (delay_s := backoff.delay_s()) is not None and self._terms.reconnect_s > 0:
            await asyncio.sleep(delay_s)
            try:
                return await self._dial()
            except ClientError as error:
                why = error
                if _is_refusal(error):
                    break
        return self._lost_error(str(why) or "the connection was cut")

    def _large_cut_reason(self, why: Exception) -> str | None:
        is_large = isinstance(why, Closed) and why.code is None and self._largest_bytes > _LARGE_BYTES
        self._large_cuts = self._large_cuts + 1 if is_large else 0
        if self._large_cuts < _MOST_LARGE_CUTS:
            return None
        return (f"the connection was cut {self._large_cuts} times after a message of {self._largest_bytes:,} bytes; "
                "it may be too large for the server (--websocket-max-message-size raises the limit)")

    def _lost_error(self, reason: str) -> LostError:
        return LostError(f"the session at {self._terms.address.page} is lost: {reason}")

    def _fail_questions(self, error: Exception) -> None:
        questions, self._questions = self._questions, {}
        for question in questions.values():
            if not question.future.done():
                question.future.set_exception(error)
                question.future.exception()  # its caller may be cancelled


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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
    """Why another connection would fail the same way; ``None`` if it might not."""
    if not isinstance(error, Closed):
        return None
    if error.too_big:
        return "the server sent a message larger than max_message_size= allows"
    if error.code == 1009:
        return "a message was too large for the server (its --websocket-max-message-size raises the limit)"
    return (printable_line(error.reason) or f"closed with code {error.code}") if error.code in _FINAL_CODES else None


def _is_refusal(error: ClientError) -> bool:
    """Whether a running server refuses, rather than one that starts or stops, or a proxy in front of it."""
    if not isinstance(error, RefusedError):
        return False
    if error.status is None:
        return error.code in {1002, 1005, 1008}
    return error.status < 500 and error.status not in {408, 425, 429}


class Backoff:
    """Delays that double up to a limit, each shortened at random, so that many clients do not return at once."""

    def __init__(self, give_up_after_s: float, *, clock: Callable[[], float] = time.monotonic,
                 chance: Callable[[], float] = random.random) -> None:
        self._limit_s = give_up_after_s
        self._clock = clock
        self._chance = chance
        self._attempts = 0
        self._since_s: float | None = None
        self._connected_s = clock()

    def connected(self) -> None:
        """Note that there is a connection. It has yet to prove that it lasts."""
        self._connected_s = self._clock()

    def cut(self) -> None:
        """Note that the connection has ended. If it was a good one, earlier failures are forgotten."""
        if self._since_s is None or self._clock() - self._connected_s >= STABLE_S:
            self._attempts = 0
            self._since_s = self._clock()

    def delay_s(self) -> float | None:
        """The time to wait before the next attempt; ``None`` if it is time to give up."""
        started_s = self._clock() if self._since_s is None else self._since_s
        left_s = started_s + self._limit_s - self._clock()
        if left_s <= 0:
            return None
        bound_s = min(FIRST_S * 2.0**min(self._attempts, 20), LONGEST_S)
        self._attempts += 1
        return min(bound_s * (0.5 + self._chance() / 2), left_s)
