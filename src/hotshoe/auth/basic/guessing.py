"""Limits how often passwords can be tried: for one user, from one address, in one browser; in all processes together.

An attempt is counted before the password is checked, so that concurrent attempts count, too. No I/O.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
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
        digest, now = _digest(key), self._clock()
        [value] = await self._shared.get(self._space, digest)
        tries = _Tries.read(value)
        if tries.last > now:  # the clock was set back: start the pause again, which else lasts until it has caught up
            tries = _Tries(tries.count, now)
            await self._shared.swap(self._space, digest, value, tries.encoded(), self._memory_s)
        return self._wait_s(tries)

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
        return min(pause_s, max(0.0, tries.last + pause_s - self._clock()))


@dataclass(frozen=True, slots=True)
class Guess:
    """Where an attempt comes from."""

    name: str
    """The user as whom somebody tries to log in."""
    address: str | None = None
    browser: str | None = None
    """The number of a browser in which this user has logged in before (``KnownBrowsers``)."""

    @property
    def network(self) -> str | None:
        """The part of the address that counts."""
        return network_of(self.address) if self.address else None


class Guesses:
    """The limits for a user and for an address, together; or the limit for a browser that the user has used before.

    What others try does not count for such a browser: nobody can keep its user out.
    """

    def __init__(self, shared: Shared, clock: Clock = time.time) -> None:
        self._of_user = Limit(Space("guesses by user", most_entries=20_000, most_bytes=4 << 20), shared,
                              free=5, longest_s=300, memory_s=3600, clock=clock)
        # An office can share an address.
        self._of_address = Limit(Space("guesses by address", most_entries=20_000, most_bytes=4 << 20), shared,
                                 free=30, longest_s=300, memory_s=900, clock=clock)
        self._of_browser = Limit(Space("guesses by browser", most_entries=20_000, most_bytes=4 << 20), shared,
                                 free=5, longest_s=300, memory_s=3600, clock=clock)

    async def count(self, guess: Guess) -> float:
        """Count a try, if it is allowed now, and return 0; else return how long to wait."""
        if guess.browser is not None:
            return await self._of_browser.count(guess.browser)
        wait_s = await self._of_user.wait_s(guess.name)
        if guess.network is None:
            return wait_s or await self._of_user.count(guess.name)
        wait_s = max(wait_s, await self._of_address.wait_s(guess.network)) or await self._of_user.count(guess.name)
        if not wait_s and (wait_s := await self._of_address.count(guess.network)):
            await self._of_user.take_back(guess.name)  # meanwhile, others have used up the address's attempts
        return wait_s

    async def succeed(self, guess: Guess) -> None:
        """Forget the user's attempts, because the password was right. Of the address, forget only this attempt:
        otherwise the owner of one account could guess the passwords of others without limit.
        """
        if guess.browser is not None:
            await self._of_browser.forget(guess.browser)
            return
        await self._of_user.forget(guess.name)
        if guess.network is not None:
            await self._of_address.take_back(guess.network)

    async def take_back(self, guess: Guess) -> None:
        """Forget a try whose password was not checked."""
        if guess.browser is not None:
            await self._of_browser.take_back(guess.browser)
            return
        await self._of_user.take_back(guess.name)
        if guess.network is not None:
            await self._of_address.take_back(guess.network)


def _digest(key: str) -> str:
    """A key of fixed length, so that long names can't fill the memory."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

