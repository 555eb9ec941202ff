"""Compressed websockets (RFC 7692), for those who ask for them by a setting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from .sending import Fragment

WINDOW_BITS = 12
"""4 KB of history: a patch is no longer, and with zlib's most a connection would cost 300 KB."""

_MEM_LEVEL = 5
_THREAD_BYTES = 1 << 18
"""What is larger is compressed on a thread, so that the loop does not wait for it."""


def deflater(level: int | None, mem_level: int | None) -> ServerPerMessageDeflateFactory | None:
    """What negotiates compression with a browser; ``None`` if neither setting asks for it."""
    if level is None and mem_level is None:
        return None
    settings: dict[str, Any] = {"memLevel": _MEM_LEVEL if mem_level is None else mem_level}
    if level is not None:
        settings["level"] = level
    return ServerPerMessageDeflateFactory(server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS,
                                          compress_settings=settings)


async def deflated(fragments: Sequence[Fragment], extensions: Sequence[Extension]) -> list[bytes]:
    """The frames of the fragments. One call per connection at a time: each continues where the last has ended."""
    if sum(memoryview(data).nbytes for data, _ in fragments) > _THREAD_BYTES:
        return await asyncio.to_thread(_deflated, fragments, extensions)
    return _deflated(fragments, extensions)


def _deflated(fragments: Sequence[Fragment], extensions: Sequence[Extension]) -> list[bytes]:
    return [
        Frame(Opcode.BINARY if binary else Opcode.TEXT, bytes(data)).serialize(mask=False, extensions=extensions)
        for data, binary in fragments
    ]
