"""How much the server takes from those who connect, and of how many files it may make use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ..config import Settings

try:
    import resource
except ImportError:  # Windows, where sockets are no files
    resource = None  # type: ignore[assignment]

FILES_WANTED = 65536
"""More than that, and programs that apps start and that close all files they might have take long to begin."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on requests and connections; 0 is none."""

    head_bytes: int = 65536
    body_bytes: int = 1 << 20
    request_s: float = 30.0
    """For a head to arrive, and again for a body."""
    connections: int = 0
    connections_per_address: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """What the settings say."""
        return cls(
            head_bytes=settings.max_header_size,
            body_bytes=settings.max_body_size,
            request_s=settings.request_timeout,
            connections=settings.max_connections or most_connections(),
            connections_per_address=settings.max_connections_per_address,
        )


def most_connections() -> int:
    """As many as there may be open files, less a quarter for what apps open; 0 if there is no limit."""
    if resource is None:
        return 0
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 0 if files == resource.RLIM_INFINITY else max(files * 3 // 4, 1)


def raise_file_limit() -> None:
    """Let the process open more files than the usual 1024, which are as many visitors, where it may."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
