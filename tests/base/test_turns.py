"""Whose job is next: plain data, without threads."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from hotshoe.base.turns import FREE, LIVE_IN_A_ROW, Gate, Pass, TurnQueue, Turns


def named(name: str, gates: Iterable[Gate] = (), kept: Iterable[Gate] = (), *, is_build: bool = False) -> TurnQueue:
    line = TurnQueue(lambda: name)
    line.needs, line.is_build = Pass(gates, kept), is_build
    return line


def nothing() -> None:
    pass


def taken(turns: Turns) -> list[object]:
    """The owners of all jobs that can be taken now."""
    owners = []
    while (found := turns.take()) is not None:
        owners.append(found[0].owner())
    return owners


def test_lines_take_turns() -> None:
    turns, many, few = Turns(), named("many"), named("few")
    for _ in range(3):
        turns.add(many, nothing)
    turns.add(few, nothing)
    assert len(turns) == 4
    assert taken(turns) == ["many", "few", "many", "many"]
    assert len(turns) == 0


def test_live_sessions_come_first_but_builds_do_not_starve() -> None:
    turns, live, build = Turns(), named("live"), named("build", is_build=True)
    for _ in range(2):
        turns.add(build, nothing)
    for _ in range(2 * LIVE_IN_A_ROW):
        turns.add(live, nothing)
    order = taken(turns)
    assert order.index("build") == LIVE_IN_A_ROW
    assert order.count("build") == 2


def test_a_gate_lets_so_many_pass_and_others_pass_by() -> None:
    turns, gate = Turns(), Gate(2)
    theirs = [named(f"user {number}", [gate]) for number in range(50)]
    for line in theirs:
        turns.add(line, nothing)
    turns.add(named("another"), nothing)
    assert taken(turns) == ["user 0", "user 1", "another"], "no more than two before another user"
    assert turns.ready_count == 0
    turns.leave([gate])
    assert taken(turns) == ["user 2"]
    for _ in range(47):
        turns.leave([gate])
        assert len(taken(turns)) == 1
    assert (len(turns), gate.passed) == (0, 2)


def test_a_closed_gate_is_told_to_the_one_who_adds() -> None:
    turns, gate = Turns(), Gate(1)
    first, second = named("first", [gate]), named("second", [gate])
    assert turns.admit(first) is not None
    assert turns.admit(second) is None
    assert not turns.add(second, nothing)
    turns.leave([gate])
    assert turns.ready_count == 1
    assert taken(turns) == ["second"]


def test_no_line_is_forgotten_between_two_gates() -> None:
    """A line that is let in at one gate and waits at another one gives its place to the next."""
    turns, user, app = Turns(), Gate(1), Gate(1)
    both, only_user = named("both", [user], [app]), named("only user", [user])
    running, building = named("running", [user]), named("building", [], [app])
    for line in (running, building, both, only_user):
        turns.add(line, nothing)
    assert taken(turns) == ["running", "building"]
    turns.leave([user])
    assert taken(turns) == ["only user"], "although it stood behind the one that waits for the app"
    turns.leave([app])
    turns.leave([user])
    assert taken(turns) == ["both"]


def test_a_job_that_is_removed_gives_its_place_on() -> None:
    turns, gate = Turns(), Gate(1)
    first, left, last = (named(name, [gate]) for name in ("first", "left", "last"))
    for line in (first, left, last):
        turns.add(line, nothing)
    assert taken(turns) == ["first"]
    assert turns.remove(left, nothing)
    assert not turns.remove(left, nothing)
    turns.leave([gate])
    assert taken(turns) == ["last"]
    turns.leave([gate])
    turns.add(left, nothing)
    assert taken(turns) == ["left"], "a later job of it is not lost"


def test_without_a_limit_all_pass() -> None:
    turns, gate = Turns(), Gate(0)
    for number in range(10):
        turns.add(named(str(number), [gate]), nothing)
    assert len(taken(turns)) == 10


def test_a_line_that_changes_its_gates_while_it_waits() -> None:
    turns, gate, other = Turns(), Gate(1), Gate(1)
    line = named("line", [gate])
    turns.add(named("first", [gate]), nothing)
    turns.add(line, nothing)
    assert taken(turns) == ["first"]
    line.needs = Pass([other])
    turns.leave([gate])
    assert taken(turns) == ["line"]
    assert (gate.passed, other.passed) == (0, 1)


def test_no_place_is_lost_when_those_that_wait_leave_and_change_their_gates() -> None:
    """So do the builds of visitors who leave before they begin: the others must not wait for a place for ever."""
    turns, gate = Turns(), Gate(1)
    first, left, changed, last = (named(name, [gate]) for name in ("first", "left", "changed", "last"))
    for line in (first, left, changed, last):
        turns.add(line, nothing)
    assert taken(turns) == ["first"]
    assert turns.remove(left, nothing)
    left.needs = changed.needs = FREE
    assert list(gate.blocked) == [changed, last], "what has left takes no memory"
    turns.leave([gate])
    assert taken(turns) == ["changed", "last"]
    assert gate.passed == 1
    turns.add(left, nothing)
    assert taken(turns) == ["left"]


def test_no_place_is_lost_when_a_line_leaves_after_it_was_let_in() -> None:
    turns, gate = Turns(), Gate(1)
    first, left, last = (named(name, [gate]) for name in ("first", "left", "last"))
    for line in (first, left, last):
        turns.add(line, nothing)
    assert taken(turns) == ["first"]
    turns.leave([gate])
    assert turns.remove(left, nothing)
    left.needs = FREE
    assert taken(turns) == ["last"]
    turns.add(left, nothing)
    assert taken(turns) == ["left"]


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_all_jobs_are_done_at_last(seed: int) -> None:
    choices = random.Random(seed)
    turns, lines, running = Turns(), [named(str(number)) for number in range(6)], list[tuple[Gate, ...]]()
    gates = [Gate(most) for most in (1, 1, 2)]

    def change_gates(line: TurnQueue) -> None:
        some = choices.sample(gates, choices.randint(0, 3))
        at = choices.randint(0, len(some))
        line.needs, line.is_build = Pass(some[:at], some[at:]), choices.random() < 0.4
        line.only_waits = choices.random() < 0.3

    def begin_all() -> None:
        while (found := turns.take()) is not None:
            running.append(found[2].gates(found[0]))

    for _ in range(60):
        line = choices.choice(lines)
        match choices.choice(("add", "add", "take", "leave", "remove", "change")):
            case "add":
                turns.add(line, nothing)
            case "take" if (found := turns.take()) is not None:
                running.append(found[2].gates(found[0]))
            case "leave" if running:
                turns.leave(running.pop(choices.randrange(len(running))))
            case "remove":
                turns.remove(line, nothing)
            case "change":
                change_gates(line)
    begin_all()
    while running:
        turns.leave(running.pop())
        begin_all()
    assert len(turns) == 0
    assert not any(line.jobs or line.is_listed for line in lines)
    assert not any(gate.passed or gate.blocked for gate in gates)
