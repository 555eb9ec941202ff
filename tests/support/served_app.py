"""An ASGI app behind our HTTP and websocket protocols, on the loop of the test."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import uvloop
from uvicorn.config import Config
from websockets.asyncio.client import connect

from hotshoe.config.limit_table import Limits
from hotshoe.http.scopes import BATCH
from hotshoe.server.http_protocol import HttpProtocol
from hotshoe.server.limits import ServingState
from hotshoe.server.websocket_protocol import WebSocketProtocol

App = Callable[[Any, Any, Any], Awaitable[None]]


class Served:
    """An ASGI app on a port of its own, on the running loop, with uvicorn's state in reach."""

    def __init__(self, app: App, limits: Limits | None = None, **options: Any) -> None:
        self.state = ServingState(limits)
        options = {"ws_per_message_deflate": False, "ws_ping_interval": None, "ws_ping_timeout": None, **options}
        self.config = Config(
            app, http=HttpProtocol, ws=WebSocketProtocol, lifespan="off", interface="asgi3", log_config=None,
            proxy_headers=False, **options,
        )  # fmt: skip
        self.config.load()

    async def __aenter__(self) -> Served:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: HttpProtocol(self.config, self.state, {}, loop), "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.server.close()
        for connection in list(self.state.connections):
            connection.transport.abort()
        while self.state.tasks:
            for task in self.state.tasks:
                task.cancel()
            await asyncio.sleep(0.01)

    @property
    def socket(self) -> WebSocketProtocol:
        [found] = [each for each in self.state.connections if isinstance(each, WebSocketProtocol)]
        return found

    def connect(self, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/", **{"compression": None, "max_size": None, **options})


def both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on asyncio's loop and on uvloop: their transports write and close in different ways."""

    def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        async def main() -> None:
            await test(**fixtures)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    wanted = inspect.signature(test).parameters.values()
    own = inspect.Parameter("loop_factory", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([own, *wanted])  # type: ignore[attr-defined]
    factories = [asyncio.SelectorEventLoop, uvloop.new_event_loop]
    both: Callable[..., None] = pytest.mark.parametrize("loop_factory", factories, ids=["asyncio", "uvloop"])(run)
    return both


def sending(*batches: Sequence[tuple[Any, bool]], outcome: list[BaseException] | None = None) -> App:
    """An app that sends the batches, then waits for the end."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["extensions"][BATCH] == {}
        await receive()
        await send({"type": "websocket.accept"})
        try:
            for batch in batches:
                await send({"type": BATCH, "fragments": batch})
        except OSError as error:
            if outcome is not None:
                outcome.append(error)
            raise
        while (await receive())["type"] != "websocket.disconnect":
            pass

    return app
