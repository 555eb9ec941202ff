"""What ``process_request`` returned and no token can carry: it waits here for the page's socket.

It is needed once more only if the session has ended before its socket came. In another process it is not found, and
``process_request`` is asked again.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_log = logging.getLogger(__name__)

MARK = "_hotshoe_parked"
"""What a token carries in place of the payload."""

MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Parked:
    payload: Mapping[str, Any]
    size: int
    expires_at_s: float


class Parking:
    """Payloads by session id, each for as long as its token can create the session. The oldest make room."""

    def __init__(self, lifetime_s: float, clock: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._max_bytes = max_bytes
        self._parked: OrderedDict[str, _Parked] = OrderedDict()
        self._size = 0
        self._told = False

    def park(self, session_id: str, payload: Mapping[str, Any], size: int) -> None:
        """Keep a payload that takes about ``size`` bytes."""
        if not self._told:
            self._told = True
            _log.info("process_request returned %d bytes, too many for a token: they wait in this process; a socket "
                      "that lands in another one has process_request asked again", size)
        self._drop(session_id)
        self._parked[session_id] = _Parked(payload, size, self._clock() + self._lifetime_s)
        self._size += size
        while self._parked and (self._size > self._max_bytes or self._oldest_is_late()):
            self._drop(next(iter(self._parked)))

    def find(self, session_id: str) -> Mapping[str, Any] | None:
        """The payload of the session, if it is here."""
        parked = self._parked.get(session_id)
        return parked.payload if parked is not None and parked.expires_at_s > self._clock() else None

    def _oldest_is_late(self) -> bool:
        return next(iter(self._parked.values())).expires_at_s <= self._clock()

    def _drop(self, session_id: str) -> None:
        if (parked := self._parked.pop(session_id, None)) is not None:
            self._size -= parked.size
