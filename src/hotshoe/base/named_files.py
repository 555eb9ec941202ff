"""Files that the operator names. Whatever is at the path, reading it ends: pipes and devices are refused, and the wait
for a disk is bounded.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from .files import WHOLE_BYTES, read_regular
from .threads import ThreadPool

PATIENCE_S = 10.0
"""How long to wait for a disk."""

T = TypeVar("T")


def read_named(path: str | Path, most_bytes: int = WHOLE_BYTES) -> bytes:
    """The content of a regular file; links are followed. Raises ``OSError``; ``reason_of`` gives its reason. Blocks."""
    return in_time(partial(read_regular, Path(path), most_bytes))


def in_time(function: Callable[[], T]) -> T:
    """The result of ``function``, which uses a disk. Raises ``OSError`` if the disk does not respond. Blocks."""
    pool = ThreadPool(1, name="hotshoe-named")
    call = pool.submit(function)
    pool.close()
    try:
        return call.result(PATIENCE_S)
    except TimeoutError as error:
        if call.done():
            raise
        raise OSError(errno.EIO, f"the disk does not respond within {PATIENCE_S:g} s") from error
    except ValueError as error:  # a null byte in the path
        if "embedded null" not in str(error):
            raise
        raise OSError(errno.EINVAL, "no path has a null byte") from error


def reason_of(error: OSError) -> str:
    """The reason, for the operator."""
    return error.strerror or str(error)
