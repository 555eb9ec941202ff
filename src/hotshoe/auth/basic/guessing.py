"""Limits how often passwords can be tried: for one user and from one address, in all processes together.

An attempt is counted before the password is checked, so that concurrent attempts count, too. No I/O.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from ...base.addresses import network_of
from ...base.shared import Shared, Space

Clock = Callable[[], float]


class _Tries(msgspec.Struct, frozen=True):
    """The attempts for one key, as they are stored in ``Shared``."""

    count: int = 0
    last: float = 0.0
    """The time of the latest try, in Unix time."""

    @classmethod
    def read(cls, value: bytes | None) -> _Tries:
        return cls() if value is None else msgspec.msgpack.decode(value, type=cls)

    def encoded(self) -> bytes:
        return msgspec.msgpack.encode(self)


class Limit:
    """After ``free`` failed tries a user must wait a second, then twice as long each time, up to ``longest_s``.

    Tries are forgotten ``memory_s`` after the latest one. ``space`` limits the number of keys.
    """

    def __init__(self, space: Space, shared: Shared, *, free: int, longest_s: float, memory_s: float,
                 clock: Clock) -> None:
        self._space = space
        self._shared = shared
        self._free = free
        self._longest_s = longest_s
        self._memory_s = memory_s
        self._clock = clock

    async def wait_s(self, key: str) -> float:
        """How long to wait before the next try; 0 if it is allowed now."""
        [value] = await self._shared.get(self._space, _digest(key))
        return self._wait_s(_Tries.read(value))

    async def count(self, key: str) -> float:
        """Count a try, if it is allowed now, and return 0; else return how long to wait."""
        digest, now = _digest(key), self._clock()
        [value] = await self._shared.get(self._space, digest)
        while True:  # again if another attempt was counted meanwhile; after a few, this one is refused
            tries = _Tries.read(value)
            if wait_s := self._wait_s(tries):
                return wait_s
            new = _Tries(tries.count + 1, now).encoded()
            found = await self._shared.swap(self._space, digest, value, new, self._memory_s)
            if found == value:
                return 0.0
            value = found

    async def take_back(self, key: str) -> None:
        """Do not count the latest try."""
        digest = _digest(key)
        [value] = await self._shared.get(self._space, digest)
        while value is not None:
            tries = _Tries.read(value)
            new = _Tries(max(0, tries.count - 1), tries.last).encoded()
            found = await self._shared.swap(self._space, digest, value, new, self._memory_s)
            if found == value:
                return
            value = found

    async def forget(self, key: str) -> None:
        """Forget all tries."""
        await self._shared.take(self._space, _digest(key))

    def _wait_s(self, tries: _Tries) -> float:
        """The pause after the latest attempt depends on the number of attempts."""
        beyond = tries.count - self._free
        if beyond < 0:
            return 0.0
        pause_s = min(self._longest_s, 2.0 ** min(beyond, 30))
        return min(pause_s, max(0.0, tries.last + pause_s - self._clock()))  # a clock may have been set back


class Guesses:
    """The limits for a user and for an address, together."""

    def __init__(self, shared: Shared, clock: Clock = time.time) -> None:
        self._of_user = Limit(Space("guesses by user", most_entries=20_000, most_bytes=4 << 20), shared,
                              free=5, longest_s=300, memory_s=3600, clock=clock)
        # An office can share an address.
        self._of_address = Limit(Space("guesses by address", most_entries=20_000, most_bytes=4 << 20), shared,
                                 free=30, longest_s=300, memory_s=900, clock=clock)

    async def count(self, name: str, address: str | None) -> float:
        """Count a try, if it is allowed now, and return 0; else how long to wait."""
        network = _network_of(address)
        wait_s = await self._of_user.wait_s(name)
        if network is None:
            return wait_s or await self._of_user.count(name)
        wait_s = max(wait_s, await self._of_address.wait_s(network)) or await self._of_user.count(name)
        if not wait_s and (wait_s := await self._of_address.count(network)):
            await self._of_user.take_back(name)  # meanwhile, others have used up the address's attempts
        return wait_s

    async def succeed(self, name: str, address: str | None) -> None:
        """Forget the user's attempts, because the password was right. Of the address, forget only this attempt:
        otherwise the owner of one account could guess the passwords of others without limit.
        """
        await self._of_user.forget(name)
        if network := _network_of(address):
            await self._of_address.take_back(network)

    async def take_back(self, name: str, address: str | None) -> None:
        """Forget a try whose password was not checked."""
        await self._of_user.take_back(name)
        if network := _network_of(address):
            await self._of_address.take_back(network)


def _network_of(address: str | None) -> str | None:
    return network_of(address) if address else None


def _digest(key: str) -> str:
    """A key of fixed length, so that long names can't fill the memory."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

