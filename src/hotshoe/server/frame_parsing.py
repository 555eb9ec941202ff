"""Parses websocket frames with websockets' protocol: few at a time, and long payloads into memory of their own."""

from __future__ import annotations

from collections.abc import Generator
from mmap import mmap
from typing import Any

from .libraries import CloseCode, Frame, Opcode, ServerProtocol, StreamReader

MAPPED_BYTES = 1 << 18
"""A longer payload is collected in a mapping of its own."""
FRAME_BYTES = 4096
"""So much payload takes about as long as the parsing of one more frame."""
TINY_BYTES = 1024
"""Nobody has a reason to cut a message into smaller fragments."""

_DATA = (Opcode.TEXT, Opcode.BINARY)


class FrameReader(StreamReader):
    """The bytes of a connection, of which few frames are parsed in one turn of the event loop.

    Lines of the handshake may be as long as ``head_bytes``.
    """

    def __init__(self, head_bytes: int) -> None:
        super().__init__()
        self._head_bytes = head_bytes
        self.left = 0
        """The frames that the parser may still begin in this turn of the loop."""
        self._payload: mmap | None = None
        self._collected_bytes = 0

    @property
    def unparsed_bytes(self) -> int:
        """All that has come and is not parsed yet."""
        return len(self.buffer) + self._collected_bytes

    def feed_data(self, data: bytes | bytearray) -> None:
        if self._payload is None:
            self.buffer += data
            return
        at, size = self._collected_bytes, len(self._payload)
        part = data[:size - at]  # the same object, if it is not longer
        self._collected_bytes = at + len(part)
        self._payload[at:self._collected_bytes] = part
        self.buffer += data[size - at:]

    def read_exact(self, n: int) -> Generator[None, None, Any]:
        buffer = self.buffer
        if len(buffer) >= n:  # most are short: four calls for each frame
            data = buffer[:n]
            del buffer[:n]
            return data
        if n <= MAPPED_BYTES:
            return (yield from super().read_exact(n))
        # A long payload has a mapping of its own: many buffers that grow side by side would fragment the memory, and
        # take eight times their size. The memory of a mapping is used only as far as it is filled.
        self._payload = payload = mmap(-1, n)
        begin, self.buffer = self.buffer, bytearray()
        self.feed_data(begin)
        while self._collected_bytes < n:
            if self.eof:
                raise EOFError("stream ends within a frame")
            yield
        self._payload, self._collected_bytes = None, 0
        return memoryview(payload)

    def discard(self) -> None:
        super().discard()
        self._payload, self._collected_bytes = None, 0

    def at_eof(self) -> Generator[None, None, bool]:
        # The parser asks this before each frame, and parses no further while this yields.
        while not self.buffer or self.left <= 0:
            if self.eof and not self.buffer:
                return True
            yield
        self.left -= 1
        return False

    def read_line(self, m: int, *more: Any) -> Any:
        # websockets refuses lines over 8 KB; tokens and the cookies of a login are longer.
        return super().read_line(max(m, self._head_bytes), *more)


class FrameProtocol(ServerProtocol):
    """The protocol of websockets with a ``FrameReader``. It counts what its frames cost."""

    payload_bytes = 0
    """The payloads of frames that were parsed, until the app has all of them."""
    idle_frames = 0
    """Frames that brought nothing: pings, pongs, tiny fragments. Whole messages are paced by the app."""

    def __init__(self, head_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self.reader: FrameReader = FrameReader(head_bytes)
        self.parser = self.parse()
        next(self.parser)

    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        size = len(frame.data)
        self.payload_bytes += size
        if size >= FRAME_BYTES:
            self.reader.left -= size // FRAME_BYTES
        elif size < TINY_BYTES and not (frame.fin and frame.opcode in _DATA):
            self.idle_frames += 1

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Close with the reason that clients of Bokeh know: "too big" without the sizes."""
        super().fail(code, "message too big" if code == CloseCode.MESSAGE_TOO_BIG else reason)
