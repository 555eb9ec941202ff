"""The contract of ``Shared``, for each implementation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.cookie_client import SetClock
from tests.support.encoded_shared import EncodedShared

from hotshoe.base import shared as module
from hotshoe.base.shared import DROPPED_AT_ONCE, EVICTED, Changes, MemoryShared, Shared, Space

SPACE = Space("things", most_entries=4, most_bytes=100)
OTHER = Space("others", most_entries=4, most_bytes=100)
KEEPING = Space("kept things", most_entries=3, most_bytes=100, keeps_evicted=True)

Make = Callable[[SetClock], Shared]
MAKERS: dict[str, Make] = {
    "memory": MemoryShared,
    "encoded": lambda clock: EncodedShared(MemoryShared(clock)),
}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=MAKERS)
def shared(request: pytest.FixtureRequest, clock: SetClock) -> Shared:
    return MAKERS[request.param](clock)


async def value_of(shared: Shared, key: str, space: Space = SPACE) -> bytes | None:
    [value] = await shared.get(space, key)
    return value


async def all_of(shared: Shared, keys: str, space: Space = SPACE) -> str:
    """Those of the keys, a character each, that have an entry."""
    values = await shared.get(space, *keys)
    return "".join(key for key, value in zip(keys, values, strict=True) if value is not None)


async def test_what_is_put_is_there(shared: Shared) -> None:
    await shared.put(SPACE, "a", b"\x00\xff", 10)
    await shared.put(SPACE, "ä b/\n", b"", 10)
    assert await shared.get(SPACE, "a", "none", "ä b/\n", "a") == (b"\x00\xff", None, b"", b"\x00\xff")
    assert await shared.get(OTHER, "a") == (None,)
    assert await shared.get(SPACE) == ()
    await shared.put(SPACE, "a", b"2", 10)
    assert await value_of(shared, "a") == b"2"


async def test_entries_expire(shared: Shared, clock: SetClock) -> None:
    await shared.put(SPACE, "a", b"1", 10)
    await shared.put(SPACE, "b", b"1", 20)
    await shared.put(SPACE, "c", b"1", None)
    clock.now += 9.9
    assert await all_of(shared, "abc") == "abc"
    await shared.put(SPACE, "a", b"2", 10)
    clock.now += 9.9
    assert await all_of(shared, "abc") == "abc", "a was written anew"
    clock.now += 0.2
    assert await all_of(shared, "abc") == "c"
    clock.now += 1e12
    assert await all_of(shared, "abc") == "c"


async def test_an_entry_that_has_expired_is_none(shared: Shared, clock: SetClock) -> None:
    for key in "abc":
        await shared.put(SPACE, key, b"1", 10)
    clock.now += 10
    assert await shared.take(SPACE, "a") is None
    assert await shared.swap(SPACE, "b", b"1", b"2", 10) is None
    assert await shared.swap(SPACE, "c", None, b"3", 10) is None
    assert await shared.get(SPACE, "a", "b", "c") == (None, None, b"3")


async def test_a_key_can_be_claimed_looked_at_prolonged_and_released(shared: Shared, clock: SetClock) -> None:
    assert await shared.swap(SPACE, "start", None, b"ann", 10) is None
    assert await shared.swap(SPACE, "start", None, b"bob", 10) == b"ann", "bob learns who holds it"
    assert await value_of(shared, "start") == b"ann"
    clock.now += 9
    assert await shared.swap(SPACE, "start", b"ann", b"ann", 10) == b"ann"
    clock.now += 9
    assert await value_of(shared, "start") == b"ann", "it was prolonged"
    assert await shared.swap(SPACE, "start", b"bob", None, None) == b"ann", "it is not bob's to release"
    assert await shared.swap(SPACE, "start", b"ann", None, None) == b"ann"
    assert await value_of(shared, "start") is None
    assert await shared.swap(SPACE, "start", None, b"bob", 10) is None
    clock.now += 10
    assert await shared.swap(SPACE, "start", None, b"ann", 10) is None, "bob is gone"


async def test_of_many_who_claim_one_gets_it(shared: Shared) -> None:
    found = await asyncio.gather(*(shared.swap(SPACE, "a", None, b"%d" % number, 10) for number in range(50)))
    assert found.count(None) == 1
    assert set(found) == {None, await value_of(shared, "a")}


async def test_counts_of_many_are_all_counted(shared: Shared) -> None:
    async def count() -> None:
        known = await value_of(shared, "a")
        while (found := await shared.swap(SPACE, "a", known, b"%d" % (int(known or 0) + 1), 10)) != known:
            known = found

    await asyncio.gather(*(count() for _ in range(50)))
    assert await value_of(shared, "a") == b"50"


async def test_of_many_who_take_one_gets_it(shared: Shared) -> None:
    await shared.put(SPACE, "a", b"1", 10)
    found = await asyncio.gather(*(shared.take(SPACE, "a") for _ in range(50)))
    assert found.count(b"1") == 1
    assert found.count(None) == 49
    assert await value_of(shared, "a") is None


async def test_a_full_space_evicts_what_would_expire_soonest(shared: Shared) -> None:
    for key, ttl_s in (("a", 30), ("b", 10), ("c", None), ("d", 20), ("e", 40)):
        await shared.put(SPACE, key, b"1", ttl_s)
    assert await all_of(shared, "abcde") == "acde"
    await shared.put(SPACE, "d", b"2", 50)
    assert await all_of(shared, "abcde") == "acde", "an entry that is written anew needs no place"
    await shared.swap(SPACE, "f", None, b"1", 60)
    assert await all_of(shared, "abcdef") == "cdef"
    await shared.put(SPACE, "g", b"1", 5)
    assert await all_of(shared, "abcdefg") == "cdef", "the new one itself"
    assert await all_of(shared, "abcdefg", OTHER) == ""


async def test_bytes_are_bounded(shared: Shared, clock: SetClock) -> None:
    await shared.put(SPACE, "a", b"x" * 49, 10)
    await shared.put(SPACE, "b", b"x" * 49, 20)
    assert await all_of(shared, "ab") == "ab"
    await shared.put(SPACE, "a", b"x" * 50, 10)
    assert await all_of(shared, "ab") == "b"
    await shared.put(SPACE, "k" * 100, b"", 30)
    assert await all_of(shared, "ab") == "", "keys count, too"
    await shared.take(SPACE, "k" * 100)
    await shared.put(SPACE, "b", b"x" * 9, 10)
    await shared.put(SPACE, "a", b"x" * 100, 20)
    assert await all_of(shared, "ab") == "b", "one that is larger than the space evicts no other"
    await shared.put(SPACE, "b", b"x" * 100, 20)
    assert await all_of(shared, "ab") == "", "and its old value is gone"
    await shared.put(SPACE, "b", b"x" * 99, 10)
    assert await all_of(shared, "ab") == "b"
    clock.now += 10
    await shared.put(SPACE, "a", b"x" * 99, 1)
    assert await all_of(shared, "ab") == "a", "what has expired takes no place"


async def test_what_is_written_over_and_over_keeps_its_place(shared: Shared, clock: SetClock) -> None:
    await shared.put(SPACE, "b", b"1", 10_000)
    for _ in range(1000):
        clock.now += 1
        await shared.put(SPACE, "a", b"1", 10)
        await shared.take(SPACE, "c")
        await shared.put(SPACE, "c", b"1", 10)
    assert await all_of(shared, "abc") == "abc"
    clock.now += 10
    assert await all_of(shared, "abc") == "b"


async def test_a_space_can_tell_what_it_has_evicted(shared: Shared, clock: SetClock) -> None:
    assert await value_of(shared, EVICTED, KEEPING) is None
    for ttl_s in (30, 10, 40, 20, 50):
        await shared.put(KEEPING, f"{ttl_s}", b"%d" % ttl_s, ttl_s)
    assert await value_of(shared, EVICTED, KEEPING) == b"20"
    await shared.put(KEEPING, "5", b"5", 5)
    assert await shared.get(KEEPING, EVICTED, "5") == (b"20", None), "the one that would have lasted longest"
    await shared.put(KEEPING, "large", b"x" * 100, 15)
    assert await shared.get(KEEPING, EVICTED, "large") == (b"20", None)
    await shared.take(KEEPING, "30")
    assert await value_of(shared, EVICTED, KEEPING) == b"20", "what is removed is not evicted"
    clock.now += 20
    assert await value_of(shared, EVICTED, KEEPING) is None
    clock.now += 100
    for number in range(3):
        await shared.put(KEEPING, f"{number}", b"new", 10)
    assert await value_of(shared, EVICTED, KEEPING) is None, "what has expired is not evicted"
    for space in (SPACE, KEEPING):
        with pytest.raises(ValueError, match="key"):
            await shared.put(space, EVICTED, b"1", 10)


async def test_others_keep_nothing_that_they_evicted(shared: Shared) -> None:
    for key in "abcdef":
        await shared.put(SPACE, key, b"1", 10)
    assert await value_of(shared, EVICTED) is None


def keys_of(changes: Changes) -> set[str]:
    assert changes.keys is not None
    return set(changes.keys)


async def waiting(shared: Shared, since: str, space: Space = SPACE) -> asyncio.Task[Any]:
    task = asyncio.create_task(shared.changes(space, since))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_changes_are_told_to_all_who_wait(shared: Shared) -> None:
    await shared.put(SPACE, "before", b"1", 10)
    begin = await shared.changes(SPACE)
    assert begin.keys == frozenset()
    tasks = [await waiting(shared, begin.revision) for _ in range(3)]
    other = await waiting(shared, (await shared.changes(OTHER)).revision, OTHER)
    await shared.put(SPACE, "a", b"1", 10)
    for task in tasks:
        changes = await asyncio.wait_for(task, 5)
        assert keys_of(changes) == {"a"}
        assert changes.revision != begin.revision
    assert not other.done()
    other.cancel()


async def test_every_kind_of_change_is_told(shared: Shared) -> None:
    await shared.put(SPACE, "a", b"1", 10)

    async def told(change: Any) -> frozenset[str]:
        task = await waiting(shared, (await shared.changes(SPACE)).revision)
        await change
        found: frozenset[str] = (await asyncio.wait_for(task, 5)).keys
        return found

    assert await told(shared.put(SPACE, "a", b"1", 10)) == {"a"}, "the same value again"
    assert await told(shared.swap(SPACE, "a", b"1", b"2", 10)) == {"a"}
    assert await told(shared.swap(SPACE, "b", None, b"1", 10)) == {"b"}
    assert await told(shared.swap(SPACE, "b", b"1", None, None)) == {"b"}
    assert await told(shared.take(SPACE, "a")) == {"a"}


async def test_what_changes_nothing_is_not_told(shared: Shared, clock: SetClock) -> None:
    for key in "abcd":
        await shared.put(SPACE, key, b"1", 10)
    task = await waiting(shared, (await shared.changes(SPACE)).revision)
    await shared.get(SPACE, "a")
    await shared.take(SPACE, "none")
    await shared.swap(SPACE, "a", b"2", b"3", 10)
    await shared.swap(SPACE, "none", None, None, 10)
    await asyncio.sleep(0)
    assert not task.done()
    await shared.put(SPACE, "e", b"1", 10)
    assert keys_of(await asyncio.wait_for(task, 5)) == {"e"}, "and not the key that it evicted"


async def test_no_change_is_missed_between_two_calls(shared: Shared) -> None:
    begin = (await shared.changes(SPACE)).revision
    for key in "abca":
        await shared.put(SPACE, key, b"1", 10)
    changes = await shared.changes(SPACE, begin)
    assert keys_of(changes) == {"a", "b", "c"}
    await shared.put(SPACE, "d", b"1", 10)
    assert keys_of(await shared.changes(SPACE, changes.revision)) == {"d"}
    assert keys_of(await shared.changes(SPACE, begin)) == {"a", "b", "c", "d"}, "others have not heard of these yet"


async def test_who_has_missed_too_much_is_told_that_all_may_have_changed(
        shared: Shared, clock: SetClock, request: pytest.FixtureRequest) -> None:
    begin = (await shared.changes(SPACE)).revision
    for number in range(module.CHANGES_KEPT):
        await shared.put(SPACE, f"{number % 3}", b"1", 10)
    assert keys_of(await shared.changes(SPACE, begin)) == {"0", "1", "2"}
    await shared.put(SPACE, "0", b"1", 10)
    changes = await shared.changes(SPACE, begin)
    assert changes.keys is None
    await shared.put(SPACE, "1", b"1", 10)
    assert keys_of(await shared.changes(SPACE, changes.revision)) == {"1"}


async def test_a_revision_of_an_earlier_life_is_known_as_such(clock: SetClock) -> None:
    for make in MAKERS.values():
        before, after = make(clock), make(clock)
        for shared in (before, after):
            await shared.put(SPACE, "a", b"1", 10)
        begin = (await before.changes(SPACE)).revision
        assert (await asyncio.wait_for(after.changes(SPACE, begin), 5)).keys is None


async def test_who_stops_waiting_disturbs_nobody(shared: Shared) -> None:
    begin = (await shared.changes(SPACE)).revision
    first, second = await waiting(shared, begin), await waiting(shared, begin)
    first.cancel()
    await asyncio.wait([first])
    await shared.put(SPACE, "a", b"1", 10)
    assert keys_of(await asyncio.wait_for(second, 5)) == {"a"}


async def test_in_memory_a_call_does_not_wait() -> None:
    """So that what asks on the way of a request costs no turn of the event loop."""
    shared = MemoryShared()
    turns: list[int] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    await shared.put(SPACE, "a", b"1", 10)
    await shared.get(SPACE, "a", "b")
    await shared.swap(SPACE, "a", b"1", b"2", 10)
    await shared.take(SPACE, "a")
    await shared.changes(SPACE)
    assert not turns


async def test_in_memory_nothing_is_left_of_old_entries(clock: SetClock) -> None:
    shared = MemoryShared(clock)
    for number in range(10_000):
        await shared.put(SPACE, f"{number % 5}", b"%d" % number, 10)
        await shared.take(SPACE, f"{number % 3}")
    [contents] = shared._contents.values()
    assert len(contents._queue) <= 2 * len(contents._entries) + 101
    clock.now += 10
    await shared.put(SPACE, "last", b"1", 10)
    assert [*contents._entries] == ["last"]
    assert len(contents._queue) == 1
    assert contents._size == len("last") + 1


async def test_in_memory_no_call_drops_all_that_has_expired_at_once(clock: SetClock) -> None:
    """To drop 100,000 entries took 0.5 s, while the event loop waited."""
    space = Space("many", most_entries=1000, most_bytes=1 << 20)
    shared = MemoryShared(clock)
    for number in range(1000):
        await shared.put(space, f"{number}", b"1", 10)
    [contents] = shared._contents.values()
    clock.now += 10
    await shared.put(space, "new", b"2", 10)
    assert len(contents._entries) == 1001 - DROPPED_AT_ONCE
    assert await shared.get(space, "0", "999", "new") == (None, None, b"2")
    for number in range(10):
        await shared.put(space, "new", b"%d" % number, 10)
    assert [*contents._entries] == ["new"]
    assert contents._size == len("new") + 1


async def test_in_memory_what_has_expired_makes_room_before_anything_is_evicted(clock: SetClock) -> None:
    space = Space("full", most_entries=1000, most_bytes=2000)
    shared = MemoryShared(clock)
    for number in range(400):
        await shared.put(space, f"{number}", b"", 10)
    clock.now += 10
    for name in ("a", "b"):
        await shared.put(space, name, b"v" * 900, 10)
    assert await shared.get(space, "a", "b") == (b"v" * 900, b"v" * 900)
