"""The limits on what clients may send: the only table of them. ``docs/listening.md`` explains each.

Limits with a flag come from the settings; the others are far above what any real app needs, and fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

from .settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on requests, connections and messages. For those with a flag, 0 means no limit."""

    head_bytes: int = 65536
    body_bytes: int = 1 << 20
    request_s: float = 30.0
    """The time for a head to arrive, and again for a body."""
    connections: int = 0
    connections_per_address: int = 0

    slice_frames: int = 64
    """Frames of a websocket that are parsed in one turn of the event loop; 4 KB of payload count as one more."""
    frames_burst: int = 5000
    frames_per_s: int = 500
    """Frames of a websocket that bring nothing (pings, tiny fragments) are read at this rate beyond the burst."""
    slowed_s: float = 10.0
    """A websocket that was slowed to this rate for so long is closed."""
    inflated_burst_bytes: int = 20 << 20
    inflated_bytes_per_s: int = 8 << 20
    """The same for the bytes that compressed frames become, less those that were sent."""

    message_buffers: int = 65_536
    """Buffers in one message: each costs memory beside its bytes."""
    id_chars: int = 256
    """Characters of the id or type of a message: replies and logs repeat them."""
    unread_bytes: int = 1 << 18
    """Bytes of a connection that are read in advance, while its last message waits for its session."""
    waiting_messages: int = 64
    waiting_bytes: int = 1 << 18
    """Messages of one connection that wait for its session, and their bytes, before no more are read."""
    held_bytes: int = 64 << 20
    held_bytes_per_address: int = 40 << 20
    """Bytes of all unfinished and waiting messages. Beyond this, only the oldest unfinished message is read on."""
    small_bytes: int = 1 << 14
    """A connection that has less does not count for ``held_bytes``."""
    progress_s: float = 30.0
    least_bytes_per_s: int = 8192
    """A message must be complete within ``progress_s``, or go on to arrive at this rate."""

    nesting: int = 150
    """Depth of lists and objects in a message."""
    values: int = 2_000_000
    """Values in a message; a list counts as 4, an object as 10, which is how much memory they take."""
    integer_bits: int = 1023
    """Larger integers are no numbers to a browser."""
    repeated_bytes: int = 20 << 20
    """Bytes that a message may become beyond its own: by inflating, or by references to one buffer from many places."""

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The table with the values of the settings."""
        return cls(
            head_bytes=settings.max_header_size,
            body_bytes=settings.max_body_size,
            request_s=settings.request_timeout,
            connections=settings.max_connections,
            connections_per_address=settings.max_connections_per_address,
        )


LIMITS = Limits()
"""For all rows that have no flag."""
