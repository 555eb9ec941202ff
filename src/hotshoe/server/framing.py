"""The bytes of websocket frames, so that many frames leave in one write; and their compression."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from ..base.process_threads import compute
from .libraries import Frame, Opcode

Fragment: TypeAlias = "tuple[bytes | memoryview, bool]"

WINDOW_BITS = 12
"""4 KB of history: patches are not longer, and with zlib's maximum a connection would take 300 KB."""

_MEM_LEVEL = 5
_THREAD_BYTES = 1 << 18
"""A larger message is compressed on a thread, so that the loop does not wait."""


def frame_header(length: int, binary: bool) -> bytes:
    """The header of a whole, unmasked, uncompressed data frame (RFC 6455, section 5.2)."""
    first = 0x82 if binary else 0x81
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


def framed(fragments: Iterable[Fragment]) -> list[bytes | memoryview]:
    """Headers and payloads in the order of sending; payloads are not copied."""
    parts: list[bytes | memoryview] = []
    for data, binary in fragments:
        payload = data if isinstance(data, bytes) else _flat(data)
        parts += (frame_header(len(payload), binary), payload)
    return parts


def _flat(data: memoryview | bytearray) -> bytes | memoryview:
    """The same data as a view with one item per byte, so that ``len`` counts bytes."""
    view = memoryview(data)
    if not view.nbytes or not view.c_contiguous:
        return view.tobytes()  # an empty view can't be cast, one with gaps can't be written
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def deflater(level: int | None, mem_level: int | None) -> ServerPerMessageDeflateFactory | None:
    """Negotiates compression with browsers; ``None`` if neither setting is set."""
    if level is None and mem_level is None:
        return None
    settings: dict[str, Any] = {"memLevel": _MEM_LEVEL if mem_level is None else mem_level}
    if level is not None:
        settings["level"] = level
    return ServerPerMessageDeflateFactory(server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS,
                                          compress_settings=settings)


async def deflated(fragments: Sequence[Fragment], extensions: Sequence[Extension]) -> list[bytes]:
    """The compressed frames of the fragments.

    Only one call per connection at a time: the compressor's history continues from call to call.
    """
    if sum(memoryview(data).nbytes for data, _ in fragments) > _THREAD_BYTES:
        return await compute(_deflated, fragments, extensions)
    return _deflated(fragments, extensions)


def _deflated(fragments: Sequence[Fragment], extensions: Sequence[Extension]) -> list[bytes]:
    return [
        Frame(Opcode.BINARY if binary else Opcode.TEXT, bytes(data)).serialize(mask=False, extensions=extensions)
        for data, binary in fragments
    ]
