"""Guessing gets slower, for users and for addresses, in all processes, and what is remembered is bounded."""

from __future__ import annotations

import asyncio

from tests.support.cookie_client import SetClock
from tests.support.encoded_shared import EncodedShared

from hotshoe.auth.basic.guessing import Guess, Guesses, Limit
from hotshoe.base.shared import Changes, MemoryShared, Space


def guesses_of(clock: SetClock | None = None) -> Guesses:
    clock = clock or SetClock()
    return Guesses(EncodedShared(MemoryShared(clock)), clock)


async def test_the_wait_grows() -> None:
    clock = SetClock()
    guesses = guesses_of(clock)
    waits = [await guesses.count(Guess("ada")) for _ in range(5)]
    assert waits == [0, 0, 0, 0, 0]
    for expected_s in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300):
        assert await guesses.count(Guess("ada")) == expected_s
        assert await guesses.count(Guess("ada")) == expected_s, "a try that was not allowed does not count"
        clock.now += expected_s - 0.25
        assert await guesses.count(Guess("ada")) == 0.25
        clock.now += 0.25
        assert await guesses.count(Guess("ada")) == 0
    assert await guesses.count(Guess("eve")) == 0


class SlowShared(MemoryShared):
    """As from another process: others come between any two calls."""

    async def get(self, space: Space, *keys: str) -> tuple[bytes | None, ...]:
        found = await super().get(space, *keys)
        await asyncio.sleep(0)
        return found

    async def swap(self, space: Space, key: str, old: bytes | None, new: bytes | None, ttl_s: float | None
                   ) -> bytes | None:
        await asyncio.sleep(0)
        return await super().swap(space, key, old, new, ttl_s)

    async def changes(self, space: Space, since: str | None = None) -> Changes:
        raise AssertionError


async def test_tries_at_once_all_count() -> None:
    clock = SetClock()
    for shared in (MemoryShared(clock), SlowShared(clock)):
        processes = [Guesses(shared, clock) for _ in range(3)]
        waits = await asyncio.gather(*(processes[number % 3].count(Guess("ada", "192.0.2.1")) for number in range(50)))
        assert waits.count(0) == 5
        assert set(waits) == {0, 1}


async def test_tries_at_once_from_one_address_all_count() -> None:
    clock = SetClock()
    guesses = Guesses(SlowShared(clock), clock)
    waits = await asyncio.gather(*(guesses.count(Guess(f"user{number}", "192.0.2.1")) for number in range(50)))
    assert waits.count(0) == 30
    for number in range(50):
        await guesses.take_back(Guess(f"user{number}", "192.0.2.1"))
    assert [await guesses.count(Guess(f"user{number}")) for number in range(5)] == [0] * 5


async def test_success_and_time_start_anew() -> None:
    clock = SetClock()
    guesses = guesses_of(clock)
    for _ in range(5):
        await guesses.count(Guess("ada"))
    await guesses.succeed(Guess("ada"))
    for _ in range(5):
        assert await guesses.count(Guess("ada")) == 0
    assert await guesses.count(Guess("ada")) == 1
    clock.now += 3601
    for _ in range(5):
        assert await guesses.count(Guess("ada")) == 0


async def test_a_browser_that_the_user_has_used_has_a_limit_of_its_own() -> None:
    clock = SetClock()
    guesses = guesses_of(clock)
    for _ in range(5):
        assert await guesses.count(Guess("ada", "192.0.2.1")) == 0
    for number in range(40):
        await guesses.count(Guess(f"user{number}", "192.0.2.1"))
    assert await guesses.count(Guess("ada", "192.0.2.1")) > 0
    hers, stolen = Guess("ada", "192.0.2.1", "hers"), Guess("ada", "192.0.2.1", "stolen")
    for _ in range(5):
        assert await guesses.count(stolen) == 0
    assert await guesses.count(stolen) == 1
    assert await guesses.count(hers) == 0
    await guesses.succeed(hers)
    assert await guesses.count(Guess("ada", "192.0.2.1")) > 0, "her success gives others no new attempts"
    for _ in range(5):
        assert await guesses.count(hers) == 0
        await guesses.take_back(hers)


async def test_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    clock = SetClock()
    guesses = Guesses(MemoryShared(), clock)
    for _ in range(5):
        await guesses.count(Guess("ada"))
    clock.now -= 100_000
    assert await guesses.count(Guess("ada")) == 1


async def test_one_address_can_not_try_every_user() -> None:
    guesses = guesses_of()
    for number in range(30):
        assert await guesses.count(Guess(f"user{number}", "192.0.2.1")) == 0
        if not await guesses.count(Guess("own", "192.0.2.1")):
            await guesses.succeed(Guess("own", "192.0.2.1"))  # an account of one's own does not help
    assert await guesses.count(Guess("another", "192.0.2.1")) > 0
    assert await guesses.count(Guess("another", "192.0.2.2")) == 0
    assert await guesses.count(Guess("another")) == 0, "a proxy's address, behind which everybody is"


async def test_the_longer_wait_is_told() -> None:
    guesses = guesses_of()
    for number in range(40):
        await guesses.count(Guess(f"user{number}", "192.0.2.1"))
    for _ in range(5):
        await guesses.count(Guess("ada"))
    assert await guesses.count(Guess("ada", "192.0.2.1")) == 1
    for _ in range(3):
        await guesses.count(Guess("eve", "192.0.2.2"))
    assert await guesses.count(Guess("eve", "192.0.2.2")) == 0


async def test_ipv6_counts_by_network() -> None:
    guesses = guesses_of()
    for number in range(30):
        await guesses.count(Guess(f"user{number}", f"2001:db8:1:2::{number:x}"))
    assert await guesses.count(Guess("another", "2001:db8:1:2:ffff::1")) > 0
    assert await guesses.count(Guess("another", "2001:db8:1:3::1")) == 0
    for number in range(30):
        await guesses.count(Guess(f"user{number}", "::ffff:192.0.2.9"))
    assert await guesses.count(Guess("another", "192.0.2.9")) > 0
    assert await guesses.count(Guess("another", "no address")) == 0


async def test_what_was_not_looked_at_does_not_count() -> None:
    guesses = guesses_of()
    for _ in range(50):
        assert await guesses.count(Guess("ada", "192.0.2.1")) == 0
        await guesses.take_back(Guess("ada", "192.0.2.1"))
    await guesses.take_back(Guess("nobody", "192.0.2.77"))


async def test_memory_is_bounded() -> None:
    clock, space = SetClock(), Space("guesses", most_entries=100, most_bytes=100_000)
    shared = MemoryShared(clock)
    limit = Limit(space, shared, free=5, longest_s=300, memory_s=3600, clock=clock)
    for number in range(1000):
        clock.now += 1
        await limit.count(f"{number}" * 1000)
    [contents] = shared._contents.values()
    assert len(contents._entries) == 100
    assert all(len(key) == 32 for key in contents._entries)


async def test_a_clock_that_is_set() -> None:
    """Nobody waits for the day by which it was set back; a day forward forgives one pause."""
    wall, steady = SetClock(), SetClock()
    guesses = Guesses(MemoryShared(steady), wall)
    for _ in range(5):
        assert await guesses.count(Guess("ada", "192.0.2.1")) == 0
    wall.now -= 86_400
    assert await guesses.count(Guess("ada", "192.0.2.1")) == 1
    for clock in (wall, steady):
        clock.now += 1
    assert await guesses.count(Guess("ada", "192.0.2.1")) == 0
    wall.now += 86_400
    assert await guesses.count(Guess("ada", "192.0.2.1")) == 0
    assert await guesses.count(Guess("ada", "192.0.2.1")) == 4, "the tries still count"
