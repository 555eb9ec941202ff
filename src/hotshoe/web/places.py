"""Who is connected, and who has to give way when there is no place left. Decides only; its callers act.

A connection that waits (for a request to begin or to become whole) gives way to a new one, the oldest first: a
flood of half-open connections then only drives out itself. One that works, a request under way or a websocket,
stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from ..hosts.capacity import network_of

_C = TypeVar("_C")


class Verdict(Enum):
    """What becomes of a new connection."""

    ADMITTED = "admitted"
    FULL = "full"
    ADDRESS_FULL = "address full"


class Places(Generic[_C]):
    """The places of a server, for connections that are any hashable objects; 0 is no limit."""

    def __init__(self, most: int = 0, most_per_address: int = 0,
                 is_client: Callable[[str], bool] = lambda address: True) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._is_client = is_client
        self._taken: dict[_C, str | None] = {}
        self._waiting: dict[_C, None] = {}
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    def enter(self, connection: _C, address: str | None) -> tuple[Verdict, _C | None]:
        """A connection has come; it waits. What becomes of it, and who has given way to it and is to be cut."""
        known = self._counted(address) if address and self._most_per_address else None
        victim: _C | None = None
        if known is not None and self._by_address[known] >= self._most_per_address:
            victim = next((each for each in self._waiting if self._taken[each] == known), None)
            if victim is None:
                return Verdict.ADDRESS_FULL, None
        elif self._most and len(self._taken) >= self._most:
            victim = next(iter(self._waiting), None)
            if victim is None:
                return Verdict.FULL, None
        if victim is not None:
            self.leave(victim)
        self._taken[connection] = known
        self._waiting[connection] = None
        if known is not None:
            self._by_address[known] += 1
        return Verdict.ADMITTED, victim

    def _counted(self, address: str) -> str | None:
        return network_of(address) if self._is_client(address) else None

    def work(self, connection: _C) -> None:
        """It does not wait any more."""
        self._waiting.pop(connection, None)

    def wait(self, connection: _C) -> None:
        """It waits again; all others have waited longer."""
        if connection in self._taken:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def leave(self, connection: _C) -> None:
        """It has ended. May be called more than once."""
        self._waiting.pop(connection, None)
        address = self._taken.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
