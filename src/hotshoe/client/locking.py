"""The lock of a client's document."""

from __future__ import annotations

import threading
from types import TracebackType


class DocumentLock:
    """A lock that its owner may take again, and that knows whether this thread has it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def held(self) -> bool:
        """Whether the calling thread has the lock."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()
