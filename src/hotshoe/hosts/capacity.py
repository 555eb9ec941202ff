"""How many sessions a host takes: in all, of one user, from one address. Those that live are joined in any case.

Where the visitor's own address is not known (behind a proxy that is not named, on this machine, on a Unix socket),
sessions are not counted by address: all would seem to be one visitor's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol

from ..config import Settings
from ..errors import CapacityError
from ..log_pace import Paced
from ..sessions.failures import user_name

log = logging.getLogger("hotshoe.host")

_AGAIN = "Please try again in a minute."


class Visit(Protocol):
    """What of the request that made a session, or that wants one, counts here."""

    @property
    def user(self) -> Any:
        """Who has logged in."""

    @property
    def remote_ip(self) -> str | None:
        """The address of the visitor or of a proxy."""

    @property
    def client_known(self) -> bool:
        """Whether it is the visitor's."""


class Capacity:
    """Turns away what would be one session too many; 0 turns nobody away."""

    def __init__(self, most: int = 0, most_per_user: int = 0, most_per_address: int = 0,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._most_per_address = most_per_address
        self._all, self._of_user, self._of_address = (Paced(log, clock) for _ in range(3))

    @classmethod
    def of(cls, settings: Settings) -> Capacity:
        """As the settings say."""
        return cls(settings.max_sessions, settings.max_sessions_per_user, settings.max_sessions_per_address)

    def admit(self, held: Collection[Visit], wanted: Visit) -> None:
        """Raise ``CapacityError`` if those who hold a session, or wait for one, leave no room for one more."""
        if self._most and len(held) >= self._most:
            self._all.warn("There are %d sessions, as many as --max-sessions allows: turned away %d", self._most)
            raise CapacityError(f"All places are taken. {_AGAIN}")
        user, most = user_name(wanted.user), self._most_per_user
        if user and most and sum(user_name(each.user) == user for each in held) >= most:
            self._of_user.warn("User %s has %d sessions, as many as --max-sessions-per-user allows: turned away %d",
                               user, most)
            raise CapacityError("You have as many pages open as one user may have. Please close some of them, and try "
                                "again in a minute.", status=429)
        address, most = address_of(wanted), self._most_per_address
        if address and most and sum(address_of(each) == address for each in held) >= most:
            self._of_address.warn(
                "%s has %d sessions, as many as --max-sessions-per-address allows; if it is a proxy, --use-xheaders "
                "and --trusted-proxies say so: turned away %d", address, most)
            raise CapacityError(f"There are too many visitors from your address. {_AGAIN}", status=429)


def address_of(visit: Visit) -> str | None:
    """What stands for one visitor's address; ``None`` if it is not known."""
    return network_of(visit.remote_ip) if visit.client_known and visit.remote_ip else None


@lru_cache(4096)
def network_of(address: str) -> str:
    """The address; of IPv6 the first half, since whoever has one address has all that begin so."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(IPv6Address(int(found) >> 64 << 64)) + "/64"
    return address
