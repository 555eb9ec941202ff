"""When the host starts and stops: with the server's lifespan or, in mounts that have none, with the first request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import Protocol

from ..errors import HotshoeError
from ..hosts.host import Host
from .answers import Receive, Send

_log = logging.getLogger(__name__)


class State(Enum):
    """Where a host is in its life."""

    IDLE = auto()
    RUNNING = auto()
    STOPPED = auto()


class Part(Protocol):
    """What lives as long as the server."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Lifecycle:
    """Starts a host, and what it needs before it, once, whoever asks first; stops it once."""

    def __init__(self, host: Host, before: Sequence[Part] = (),
                 stop: Callable[[], Awaitable[None]] | None = None) -> None:
        self._parts: Sequence[Part] = (*before, host)
        self._stop_all = stop
        self._watch: asyncio.Task[None] | None = None
        self._state = State.IDLE
        self._starting: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether sessions can be had."""
        return self._state is State.RUNNING

    async def ready(self) -> bool:
        """Start the host if that has not happened; ``False`` once it has stopped. Raises what the start raises.

        Nobody then says when the end is; it is when the loop ends, which cancels its tasks.
        """
        if self._state is State.IDLE:
            await self.start()
            if self._stop_all is not None and self._watch is None:
                self._watch = asyncio.create_task(self._until_loop_ends(self._stop_all))
        return self._state is State.RUNNING

    async def _until_loop_ends(self, stop: Callable[[], Awaitable[None]]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._watch = None
            if self.running:
                await stop()
            raise

    async def start(self) -> None:
        """Start the host; everyone who calls waits for the same start. After a stop, it starts again."""
        if self._state is State.RUNNING:
            return
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        try:
            started: list[Part] = []
            try:
                for part in self._parts:
                    await part.start()
                    started.append(part)
            except BaseException:
                for part in reversed(started):
                    await part.stop()
                raise
            self._state = State.RUNNING
        finally:
            self._starting = None

    async def stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Let nobody in any more, ``close`` what is open, then stop the host, if it ever started."""
        if self._starting is not None:
            await asyncio.wait([self._starting])
        ran, self._state = self._state is State.RUNNING, State.STOPPED
        if self._watch is not None:
            self._watch.cancel()
        try:
            await close()
        finally:
            for part in reversed(self._parts) if ran else ():
                await part.stop()

    async def lifespan(self, receive: Receive, send: Send) -> bool:
        """The first half of ASGI's lifespan: start; then wait for the order to stop.

        ``False`` if the start failed, which the server has been told.
        """
        await receive()
        try:
            await self.start()
        except Exception as error:
            if not isinstance(error, HotshoeError):
                _log.exception("The server can't start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return False
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return True
