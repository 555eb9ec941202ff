"""Starts and stops the host: with the server's lifespan or, in mounts that have none, with the first request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from ..base.errors import HotshoeError
from ..base.logs import PacedLog, origin_of
from ..base.tasks import Deadline
from ..hosts.host import Host
from ..http.scopes import Receive, Send

_log = logging.getLogger(__name__)
_paced_log = PacedLog(_log)

CLOSE_SHARE = 1 / 8
"""The websockets' share of the time for stopping. They close at once, unless a client does not respond."""
HOST_SHARE = 0.95
"""The host's share of the time that then remains."""
PART_SHARE = 0.7
"""The share that each other part gets of the time that then remains."""


class Component(Protocol):
    """A part that starts and stops with the server."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Lifecycle:
    """Starts the parts ``before`` the host, then the host, once for all callers; stops them once."""

    def __init__(self, host: Host, before: Sequence[Component] = (),
                 stop: Callable[[], Awaitable[None]] | None = None) -> None:
        self._host = host
        self._before = before
        self._stop_all = stop
        self._watch: asyncio.Task[None] | None = None
        self.running = False
        """Whether sessions can be opened."""
        self._stopped = False
        self._starting: asyncio.Task[None] | None = None
        self._callers = 0
        """The number of callers of ``start`` that wait. They get the exception of a failed start."""
        self._background: asyncio.Task[None] | None = None

    async def ensure_started(self) -> bool:
        """Start the host if it has never started. Raises the exceptions of the start.

        Returns ``False`` if it has stopped, or if a caller of ``start`` waits and the start fails. Without such a
        caller, nobody will call ``stop``: the host then stops when the loop ends and cancels its tasks.
        """
        if self._callers:
            with suppress(Exception):
                await self._start_once()
        elif not self.running and not self._stopped:
            await self._start_once()
            if self._stop_all is not None and self._watch is None:
                self._watch = asyncio.create_task(self._until_loop_ends(self._stop_all))
        return self.running

    async def _until_loop_ends(self, stop: Callable[[], Awaitable[None]]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._watch = None
            if self.running:
                await stop()
            raise

    def start_in_background(self) -> None:
        """Start the host in the background, unless it has started or stopped before. A failure is logged."""
        if not (self.running or self._stopped or self._starting or self._background):
            self._background = asyncio.create_task(self._start_logging())

    async def _start_logging(self) -> None:
        try:
            await self.ensure_started()
        except Exception as error:
            _paced_log.error("The server can't start", exc_info=True, kind=origin_of(error))
        finally:
            self._background = None

    async def start(self) -> None:
        """Start the host; all callers wait for the same start. After a stop, it starts again."""
        self._callers += 1
        try:
            await self._start_once()
        finally:
            self._callers -= 1

    async def _start_once(self) -> None:
        if self.running:
            return
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        try:
            started: list[Component] = []
            try:
                for part in (*self._before, self._host):
                    await part.start()
                    started.append(part)
            except BaseException:
                for part in reversed(started):
                    await part.stop()
                raise
            self.running, self._stopped = True, False
        finally:
            self._starting = None

    async def stop(self, close: Callable[[Deadline], Awaitable[None]], deadline: Deadline) -> None:
        """Refuse new requests, ``close`` the websockets, then stop the host, if it ever started.

        Each part gets a share of the time until ``deadline``; after its share, the others stop without it.
        """
        if self._starting is not None:
            await asyncio.wait([self._starting])
        ran, self.running, self._stopped = self.running, False, True
        if self._watch is not None:
            self._watch.cancel()
        try:
            await close(deadline.share(CLOSE_SHARE))
        finally:
            if ran:
                await self._host.stop(deadline.share(HOST_SHARE).left_s)
                for part in reversed(self._before):
                    await self._stop(part, deadline)

    async def _stop(self, part: Component, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.share(PART_SHARE).left_s):
                await part.stop()
        except TimeoutError:
            _log.warning("Stopping without %s, which has not ended", type(part).__name__)

    async def lifespan(self, receive: Receive, send: Send) -> bool:
        """The first half of ASGI's lifespan: start, then wait for the event to stop.

        Returns ``False`` if the start failed; the server then has the message.
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
