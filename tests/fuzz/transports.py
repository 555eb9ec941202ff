"""A protocol of the server on a transport without a socket, fed piece by piece."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from uvicorn.config import Config

from hotshoe.server.http_protocol import HttpProtocol
from hotshoe.server.limits import ServingState
from hotshoe.server.websocket_protocol import WebSocketProtocol

PIECES_MOST = 40
_TURNS_MOST = 2000

App = Callable[[Any, Any, Any], Awaitable[None]]
_T = TypeVar("_T")


def pieces_of(data: bytes) -> list[bytes]:
    """The data in pieces, cut anywhere; the same data is always cut in the same way."""
    source = random.Random(zlib.crc32(data))
    if len(data) <= PIECES_MOST and source.random() < 0.5:
        return [data[at:at + 1] for at in range(len(data))]
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(source.randrange(1, PIECES_MOST)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]


def run_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Run on a new loop. Raises what a callback or a forgotten task has raised."""
    errors: list[BaseException] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        errors.append(context.get("exception") or AssertionError(context["message"]))

    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(note)
        result = runner.run(main)
    if errors:
        raise errors[0]
    return result


class FakeTransport(asyncio.Transport):
    """Collects what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_paused = False
        self.has_ended = False
        self.was_cut = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        if not self.has_ended:
            self.written += data

    def close(self) -> None:
        self.has_ended = True

    def abort(self) -> None:
        self.has_ended = self.was_cut = True

    def is_closing(self) -> bool:
        return self.has_ended

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


class Fed:
    """An ASGI app on a connection, which is fed."""

    def __init__(self, app: App, state: ServingState, **options: Any) -> None:
        config = Config(app, http=HttpProtocol, ws=WebSocketProtocol, lifespan="off", interface="asgi3",
                        log_config=None, proxy_headers=False, ws_ping_interval=None, ws_ping_timeout=None, **options)
        config.load()
        self.state = state
        self.transport = FakeTransport()
        self.transport.protocol = HttpProtocol(config, self.state, {}, asyncio.get_running_loop())
        self.transport.protocol.connection_made(self.transport)

    async def feed(self, pieces: Sequence[bytes]) -> None:
        """Feed the connection as a real transport does: not while it is paused, and not after its end."""
        for piece in pieces:
            await self.settle()
            if self.transport.has_ended:
                return
            assert not self.transport.is_paused, "the connection is stuck: nothing is read any more"
            self.transport.protocol.data_received(piece)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing more happens."""
        loop: Any = asyncio.get_running_loop()
        for _ in range(_TURNS_MOST):
            await asyncio.sleep(0)
            if not loop._ready:
                return
        raise AssertionError("the connection never comes to rest")

    async def end(self) -> bytes:
        """The client leaves: all that the server has started must end. Returns all that was written."""
        self.transport.has_ended = True
        self.transport.protocol.connection_lost(None)
        await self.settle()
        assert not self.state.tasks, "something still runs for a client that is gone"
        assert not len(self.state.places), "a client that is gone still has its place"
        return bytes(self.transport.written)
