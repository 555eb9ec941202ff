"""A housekeeper that notes on which thread it was called, and when."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Keeper:
    """Notes on which thread it was called, and when."""

    def __init__(self, idle_s: float | None = None, *, fails: bool = False) -> None:
        self.idle_s = idle_s
        self.fails = fails
        self.notes: list[str] = []
        self.tidied: list[int] = []
        self.left = threading.Event()

    def tidy(self) -> float | None:
        self.notes.append("tidy")
        self.tidied.append(threading.get_ident())
        if self.fails:
            raise OSError("a connection that can't be closed")
        return self.idle_s

    def leave(self) -> None:
        self.left.set()
        if self.fails:
            raise OSError("a connection that can't be closed")

    @asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        self.notes.append("enter")
        try:
            yield
        finally:
            self.notes.append("exit")
