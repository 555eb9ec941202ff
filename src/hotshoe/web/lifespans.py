"""The lifespan of an ASGI app inside of ours: the server's side of ASGI's protocol for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import SiteError
from .answers import Receive, Scope, Send

_log = logging.getLogger(__name__)

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lifespan:
    """ASGI's lifespan of another app. An app that knows none is served without."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.state: dict[str, Any] | None = None
        """What the app has put there when it started; requests get a copy."""
        self._events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._last = ""
        """The type of its last answer."""

    async def start(self) -> None:
        """Returns when the app has started. Raises ``SiteError`` if it can't."""
        self._events, self._answers, self.state, self._last = asyncio.Queue(), asyncio.Queue(), {}, ""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.create_task(self._run(scope))
        await self._say("startup")

    async def stop(self) -> None:
        """Returns when the app has ended."""
        if self._task is not None and not self._task.done():
            await self._say("shutdown")
            await asyncio.wait([self._task])
        self._task = None

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._events.get, self._hear)
        except Exception as error:
            if self._last == "lifespan.startup.complete":
                _log.exception("The lifespan of the site around the apps failed")
            # ASGI: an app that raises before it has answered does not know the protocol.
            self._answers.put_nowait({"type": "raised", "message": str(error)})
        else:
            self._answers.put_nowait({"type": "ended"})

    async def _hear(self, answer: Any) -> None:
        self._last = answer["type"]
        self._answers.put_nowait(answer)

    async def _say(self, what: str) -> None:
        self._events.put_nowait({"type": f"lifespan.{what}"})
        answer = await self._answers.get()
        if answer["type"] == f"lifespan.{what}.failed":
            raise SiteError(f"the site around the apps failed at its {what}: {answer.get('message', '')}")
