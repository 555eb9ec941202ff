"""A server's protocol without a socket: it is fed bytes, and what it writes is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class MemoryTransport(asyncio.Transport):
    """Keeps what is written. Nothing is read while it is closed or paused, as with a real one."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 4711), "sockname": ("127.0.0.1", 5006)})
        self.written = b""
        self.closed = False
        self._paused = False
        self._waiting: list[bytes] = []
        self._protocol: Any = None

    def connect(self, protocol: Any) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        self._waiting.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._waiting and not self._paused and not self.closed:
            self._protocol.data_received(self._waiting.pop(0))

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.closed:
            self.written += bytes(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        asyncio.get_running_loop().call_soon(self._deliver)

    def is_closing(self) -> bool:
        return self.closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


async def feed(make: Callable[[], Any], pieces: Iterable[bytes]) -> MemoryTransport:
    """A new connection that got the pieces, with time for the app between them, and time to answer."""
    transport = MemoryTransport()
    transport.connect(make())
    for piece in pieces:
        transport.feed(piece)
        await turns()
    await turns()
    return transport


async def turns(count: int = 4) -> None:
    """Some turns of the event loop: enough for an app that waits for nothing but its request."""
    for _ in range(count):
        await asyncio.sleep(0)


def splits(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """The data in two reads, split at every place; in one read; and byte by byte."""
    yield (data,)
    yield tuple(data[at:at + 1] for at in range(len(data)))
    for at in range(1, len(data)):
        yield data[:at], data[at:]
