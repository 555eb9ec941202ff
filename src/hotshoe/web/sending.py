"""Many websocket frames in one write: an ASGI extension, and the bytes of the frames."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

BATCH = "hotshoe.websocket.batch"
"""An ASGI extension and its message: ``{"type": BATCH, "fragments": [(data, is_binary), …]}``."""

Fragment: TypeAlias = "tuple[bytes | memoryview, bool]"


def frame_header(length: int, binary: bool) -> bytes:
    """The header of a whole, unmasked, uncompressed data frame (RFC 6455, section 5.2)."""
    first = 0x82 if binary else 0x81
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


def framed(fragments: Iterable[Fragment]) -> list[bytes | memoryview]:
    """Headers and payloads in the order in which they travel; payloads are not copied."""
    parts: list[bytes | memoryview] = []
    for data, binary in fragments:
        payload = data if isinstance(data, bytes) else _flat(data)
        parts += (frame_header(len(payload), binary), payload)
    return parts


def _flat(data: memoryview | bytearray) -> bytes | memoryview:
    """A view whose length is its bytes, whatever shape and item it had."""
    view = memoryview(data)
    if not view.nbytes or not view.c_contiguous:
        return view.tobytes()  # an empty view can't be cast, one with gaps can't be written
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def set_nodelay(transport: asyncio.BaseTransport) -> socket.socket | None:
    """Nagle's algorithm and a delayed ack together cost 40 ms an event; not every loop turns it off.

    Gives the socket if it is one of TCP.
    """
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    with suppress(OSError):  # the peer may be gone already
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
