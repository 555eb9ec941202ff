"""Locks between processes: one file, locked by one process at a time. A process that dies gives its lock back."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PATIENCE_S = 10.0
"""How long to wait for another process."""
_PAUSE_S = 0.01


@contextmanager
def locked(path: Path, *, is_own: bool = False, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of the file. It is made if it does not exist, for this user only.

    ``is_own``: the file exists only for the lock; it is removed at the end, and may not be a link. Raises ``OSError``,
    also if another process holds the lock longer than ``patience_s``, and for anything but a regular file. Blocks.
    """
    end = time.monotonic() + patience_s
    while True:
        descriptor = _open(path, is_own=is_own)
        if fcntl is None:  # Windows can't replace an open file, so there is no lock
            os.close(descriptor)
            yield
            return
        try:
            _wait(descriptor, path, end)
            if _is_at(path, descriptor):
                try:
                    yield
                finally:
                    if is_own:
                        path.unlink(missing_ok=True)
                return
            # Another process has replaced or removed the file while we waited: we have locked the old one.
        finally:
            os.close(descriptor)


def _open(path: Path, *, is_own: bool) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | (getattr(os, "O_NOFOLLOW", 0) if is_own else 0)
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is not a regular file")
    return descriptor


def _wait(descriptor: int, path: Path, end: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise OSError(errno.ETIMEDOUT, f"another process has locked {path}") from None
            time.sleep(_PAUSE_S)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
