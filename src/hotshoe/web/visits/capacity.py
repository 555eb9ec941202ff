"""Limits how many sessions the front opens: in all, for one user, from one address. A live session can be joined
without limit.

Where the client's own address is not known (behind a proxy that is not named, on this machine, on a Unix socket),
sessions are not counted by address, because all would seem to come from one client.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ...base.addresses import network_of
from ...base.errors import CapacityError
from ...base.logs import PacedLog
from ...base.users import user_name
from ...config import Settings
from ...hosts.host import Event, SessionEnded
from ...http.requests import Request

log = logging.getLogger("hotshoe.host")

_AGAIN = "Please try again in a minute."


@dataclass(slots=True)
class _Place:
    """A session that counts: it lives, or is being opened."""

    user: str | None
    address: str | None
    """``None`` if there is no limit by address, or the address is unknown."""
    openings: int = 0
    """The number of requests that wait for the host to open it."""
    ended: bool = False
    """Whether the host has reported that there is no session, while requests wait."""


class Capacity:
    """Counts sessions, from the first opening to the host's ``SessionEnded``. A limit of 0 means no limit.

    It counts when sessions begin and end, because counting all of them for each page would delay every client.
    """

    def __init__(self, most: int = 0, most_per_user: int = 0, most_per_address: int = 0,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._most_per_address = most_per_address
        self._places: dict[tuple[str, str], _Place] = {}
        self._users, self._addresses = Counter[str](), Counter[str]()
        self._log = PacedLog(log, most=1, clock=clock)

    @classmethod
    def of(cls, settings: Settings) -> Capacity:
        """The limits of the settings."""
        return cls(settings.max_sessions, settings.max_sessions_per_user, settings.max_sessions_per_address)

    @contextmanager
    def opening(self, app: str, session_id: str, visitor: Request) -> Iterator[None]:
        """Hold a place while the host finds or creates the session. Raises ``CapacityError`` if no place is left.

        The place is kept until the host reports that the session has ended, or that there is none. A report from before
        a successful opening was about an earlier session with this id.
        """
        key = app, session_id
        place = self._places.get(key) or self._new_place(key, visitor)
        place.openings += 1
        try:
            yield
            place.ended = False
        finally:
            place.openings -= 1
            if place.ended and not place.openings:
                self._give_back(key, place)

    def handle_event(self, event: Event) -> None:
        """Give back the place of a session that has ended."""
        if isinstance(event, SessionEnded):
            key = event.app, event.session_id
            if (place := self._places.get(key)) is None:
                return
            if place.openings:
                place.ended = True
            else:
                self._give_back(key, place)

    def clear(self) -> None:
        """Give back all places, because the host has stopped."""
        for key, place in list(self._places.items()):
            self._give_back(key, place)

    def _new_place(self, key: tuple[str, str], visitor: Request) -> _Place:
        self._admit(visitor)
        place = self._places[key] = _Place(self._user_of(visitor), self._address_of(visitor))
        self._count(place, 1)
        return place

    def _give_back(self, key: tuple[str, str], place: _Place) -> None:
        if self._places.get(key) is place:
            del self._places[key]
            self._count(place, -1)

    def _count(self, place: _Place, change: int) -> None:
        for name, counts in ((place.user, self._users), (place.address, self._addresses)):
            if name:
                counts[name] += change
                if not counts[name]:
                    del counts[name]

    def _admit(self, visitor: Request) -> None:
        if self._most and len(self._places) >= self._most:
            self._log.warning("There are %d sessions, as many as --max-sessions allows: turned a visitor away",
                              self._most)
            raise CapacityError(f"All places are taken. {_AGAIN}")
        user, most = self._user_of(visitor), self._most_per_user
        if user and self._users[user] >= most:
            self._log.warning(
                "User %s has %d sessions, as many as --max-sessions-per-user allows: turned one more away", user, most)
            raise CapacityError("You have as many pages open as one user may have. Please close some of them, and try "
                                "again in a minute.", status=429)
        address, most = self._address_of(visitor), self._most_per_address
        if address and self._addresses[address] >= most:
            self._log.warning(
                "%s has %d sessions, as many as --max-sessions-per-address allows: turned a visitor away; if it is a "
                "proxy, set --use-xheaders and --trusted-proxies", address, most)
            raise CapacityError(f"There are too many visitors from your address. {_AGAIN}", status=429)

    def _user_of(self, visitor: Request) -> str | None:
        return user_name(visitor.user) if self._most_per_user else None

    def _address_of(self, visitor: Request) -> str | None:
        if not self._most_per_address or not visitor.client_known or not visitor.remote_ip:
            return None
        return network_of(visitor.remote_ip)
