from __future__ import annotations

import asyncio
from typing import Any

from tests.support.waiting import until

from hotshoe.base.backlog import READ_BYTES, Backlog, Backlogs

LONG_S = 60.0
BIG = 4 * READ_BYTES


def backlogs(most: int = BIG, per_address: int = BIG, progress_s: float = LONG_S, least: float = 1e9) -> Backlogs:
    return Backlogs(most, per_address, progress_s, least)


def holding(of: Backlogs, nbytes: int, address: str | None = None) -> Backlog:
    backlog = Backlog(of)
    if address is not None:
        backlog.move_to(address)
    backlog.set_in_hand(nbytes, is_open=True)
    return backlog


async def test_beyond_the_bound_only_the_oldest_goes_on() -> None:
    of = backlogs()
    first, second, third = (holding(of, BIG // 2) for _ in range(3))
    assert first.may_read()
    assert not second.may_read()
    assert not third.may_read()
    assert not Backlog(of).may_read(), "one without bytes would make it more"
    first.close()
    assert second.may_read()


async def test_those_that_wait_go_on_when_there_is_room() -> None:
    of = backlogs()
    first, second = holding(of, BIG), holding(of, BIG)
    went_on: list[Any] = []
    second.when_room(lambda: went_on.append(second))
    await asyncio.sleep(0.02)
    assert went_on == []
    first.set_in_hand(0, is_open=False)
    await until(lambda: went_on == [second])
    first.close()
    second.close()


async def test_many_that_wait_go_on_one_after_the_other() -> None:
    of = backlogs(most=READ_BYTES)
    first = holding(of, BIG)
    waiting = [holding(of, 1) for _ in range(20)]
    went_on: list[Backlog] = []
    for each in waiting:
        each.when_room(lambda each=each: went_on.append(each))  # type: ignore[misc]
    first.close()
    await until(lambda: len(went_on) > 0)
    assert len(went_on) < 20, "each may send much at once"
    await until(lambda: went_on == waiting, 60)


async def test_the_oldest_that_waits_goes_on_though_there_is_no_room() -> None:
    of = backlogs()
    first, second, _third = holding(of, BIG), holding(of, BIG), holding(of, BIG)
    went_on: list[Any] = []
    second.when_room(lambda: went_on.append(second))
    first.close()
    await until(lambda: went_on == [second])


async def test_bytes_that_pass_from_part_to_part_keep_their_place() -> None:
    of = backlogs()
    first, second = Backlog(of), Backlog(of)
    first.set_unread(BIG)
    second.set_unread(BIG)
    first.pass_on(0)
    assert of.all.nbytes == 2 * BIG
    first.set_in_hand(BIG, is_open=False)
    assert of.all.nbytes == 2 * BIG
    assert first.may_read()
    assert not second.may_read()


async def test_an_address_has_a_bound_of_its_own() -> None:
    of = backlogs(most=10 * BIG)
    theirs = [holding(of, BIG, "10.0.0.1") for _ in range(2)]
    other, unknown = holding(of, BIG, "10.0.0.2"), holding(of, 3 * BIG)
    assert [each.may_read() for each in theirs] == [True, False]
    assert other.may_read()
    assert unknown.may_read()
    for each in (*theirs, other, unknown):
        each.close()
        each.close()
    assert (of.all.nbytes, of.all.holders, of._by_address) == (0, {}, {})


class Watched:
    """A backlog, and how often its message was found to be too slow. ``look`` is what its timer does."""

    def __init__(self, of: Backlogs) -> None:
        self.backlog = Backlog(of)
        self.slow = 0
        self.backlog.on_slow = self._note

    def _note(self) -> None:
        self.slow += 1

    def look(self) -> None:
        self.backlog._check()


async def test_half_a_message_that_does_not_go_on_is_ended() -> None:
    watched = Watched(backlogs(progress_s=0.02))
    watched.backlog.set_in_hand(0, is_open=True)
    await until(lambda: watched.slow == 1, 60)


async def test_messages_that_end_are_not_slow() -> None:
    watched = Watched(backlogs())
    for _ in range(3):
        watched.backlog.set_in_hand(0, is_open=True)
        watched.backlog.set_in_hand(0, is_open=False)
        watched.look()
    for is_open in (True, False, True):
        watched.backlog.set_in_hand(0, is_open=is_open)
    watched.look()
    assert watched.slow == 0, "it began after the last look"
    watched.look()
    assert watched.slow == 1
    watched.backlog.close()


async def test_a_slow_line_goes_on_if_enough_arrives() -> None:
    watched = Watched(backlogs(least=50))
    watched.backlog.set_in_hand(0, is_open=True)
    for _ in range(5):
        watched.backlog.received_bytes += int(50 * LONG_S)
        watched.look()
    assert watched.slow == 0
    watched.backlog.received_bytes += int(50 * LONG_S) - 1
    watched.look()
    assert watched.slow == 1
    watched.backlog.close()


async def test_one_that_waits_for_room_is_not_slow_and_one_that_others_wait_for_has_less_time() -> None:
    of = backlogs()
    first, second = Watched(of), Watched(of)
    for each in (first, second):
        each.backlog.set_in_hand(BIG, is_open=True)
    assert first.backlog._period_s == LONG_S
    went_on: list[Any] = []
    second.backlog.when_room(lambda: went_on.append(second))
    assert first.backlog._period_s < LONG_S
    second.look()
    assert second.slow == 0
    first.look()
    assert first.slow == 1
    first.backlog.close()
    await until(lambda: went_on == [second], 60)
    second.look()
    assert second.slow == 0, "it has its full time again"
    second.backlog.close()
