"""How often a password may be guessed: for one user, and from one address. Counted before the password is checked, so
that many tries at once count as many. No I/O.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

Clock = Callable[[], float]


@dataclass(slots=True)
class _Tries:
    count: int = 0
    free_at: float = 0.0
    last: float = 0.0


class Limit:
    """After ``free`` tries that failed, one has to wait: a second, and twice as long each time, up to ``longest_s``.

    Whoever has not tried for ``memory_s`` starts anew. At most ``most`` are remembered, the latest.
    """

    def __init__(self, *, free: int, longest_s: float, memory_s: float, most: int, clock: Clock) -> None:
        self._free = free
        self._longest_s = longest_s
        self._memory_s = memory_s
        self._most = most
        self._clock = clock
        self._tries: OrderedDict[bytes, _Tries] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def wait_s(self, key: str) -> float:
        """How long to wait before the next try; 0 if it may be now."""
        tries = self._tries.get(_short(key))
        return 0.0 if tries is None else max(0.0, tries.free_at - self._clock())

    def count(self, key: str) -> None:
        """Somebody tries."""
        now = self._clock()
        tries = self._tries.setdefault(_short(key), _Tries())
        self._tries.move_to_end(_short(key))
        if now - tries.last > self._memory_s:
            tries.count = 0
        tries.count += 1
        tries.last = now
        self._delay(tries)
        self._forget_old(now)

    def take_back(self, key: str) -> None:
        """A try that was none after all."""
        tries = self._tries.get(_short(key))
        if tries is not None and tries.count:
            tries.count -= 1
            self._delay(tries)

    def forget(self, key: str) -> None:
        """Start anew."""
        self._tries.pop(_short(key), None)

    def _delay(self, tries: _Tries) -> None:
        """The next try may be when the latest one is as long ago as all of them together demand."""
        beyond = tries.count - self._free
        tries.free_at = tries.last + min(self._longest_s, 2.0 ** min(beyond, 30)) if beyond >= 0 else 0.0

    def _forget_old(self, now: float) -> None:
        while self._tries:
            key, oldest = next(iter(self._tries.items()))
            if len(self._tries) <= self._most and now - oldest.last <= self._memory_s:
                return
            del self._tries[key]


class Guesses:
    """Both limits together."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._of_user = Limit(free=5, longest_s=300, memory_s=3600, most=20_000, clock=clock)
        # An office can share an address.
        self._of_address = Limit(free=30, longest_s=300, memory_s=900, most=20_000, clock=clock)

    def wait_s(self, name: str, address: str | None) -> float:
        """How long to wait before the next try; 0 if it may be now."""
        network = _network(address)
        return max(self._of_user.wait_s(name), self._of_address.wait_s(network) if network else 0.0)

    def count(self, name: str, address: str | None) -> None:
        """Somebody tries."""
        self._of_user.count(name)
        if network := _network(address):
            self._of_address.count(network)

    def succeeded(self, name: str, address: str | None) -> None:
        """The password was right: the user starts anew. The address only gets this try back: else whoever has an
        account of his own could guess those of others without end.
        """
        self._of_user.forget(name)
        if network := _network(address):
            self._of_address.take_back(network)

    def was_none(self, name: str, address: str | None) -> None:
        """The password was not looked at."""
        self._of_user.take_back(name)
        if network := _network(address):
            self._of_address.take_back(network)


def _network(address: str | None) -> str | None:
    """Whom to count as one: of IPv6, everybody has a /64. ``None`` if it is not known."""
    try:
        ip = ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is None:
            return ip.exploded[:19]
        ip = ip.ipv4_mapped
    return str(ip)


def _short(key: str) -> bytes:
    """So that nobody fills the memory with long names."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
