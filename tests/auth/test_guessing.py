"""Guessing gets slower, for users and for addresses, and what is remembered is bounded."""

from __future__ import annotations

from tests.auth.browser import SetClock

from hotshoe.auth.guessing import Guesses, Limit


def test_the_wait_grows() -> None:
    clock = SetClock()
    guesses = Guesses(clock)
    waits = []
    for _ in range(20):
        waits.append(guesses.wait_s("ada", None))
        clock.now += waits[-1]
        assert guesses.wait_s("ada", None) == 0
        guesses.count("ada", None)
    assert waits[:6] == [0, 0, 0, 0, 0, 1]
    assert waits[6:10] == [2, 4, 8, 16]
    assert waits[-1] == 300
    assert guesses.wait_s("eve", None) == 0


def test_tries_at_once_all_count() -> None:
    guesses = Guesses(SetClock())
    begun = 0
    while not guesses.wait_s("ada", None):
        guesses.count("ada", None)  # none has been answered yet
        begun += 1
    assert begun == 5


def test_success_and_time_start_anew() -> None:
    clock = SetClock()
    guesses = Guesses(clock)
    for _ in range(5):
        guesses.count("ada", None)
    guesses.succeeded("ada", None)
    assert guesses.wait_s("ada", None) == 0
    for _ in range(5):
        guesses.count("ada", None)
    clock.now += 3601
    guesses.count("ada", None)
    assert guesses.wait_s("ada", None) == 0


def test_one_address_can_not_try_every_user() -> None:
    guesses = Guesses(SetClock())
    for number in range(30):
        guesses.count(f"user{number}", "192.0.2.1")
        guesses.count("own", "192.0.2.1")
        guesses.succeeded("own", "192.0.2.1")  # an account of one's own does not help
    assert guesses.wait_s("another", "192.0.2.1") > 0
    assert guesses.wait_s("another", "192.0.2.2") == 0
    assert guesses.wait_s("another", None) == 0, "a proxy's address, behind which everybody is"


def test_ipv6_counts_by_network() -> None:
    guesses = Guesses(SetClock())
    for number in range(30):
        guesses.count(f"user{number}", f"2001:db8:1:2::{number:x}")
    assert guesses.wait_s("another", "2001:db8:1:2:ffff::1") > 0
    assert guesses.wait_s("another", "2001:db8:1:3::1") == 0
    for number in range(30):
        guesses.count(f"user{number}", "::ffff:192.0.2.9")
    assert guesses.wait_s("another", "192.0.2.9") > 0
    assert guesses.wait_s("another", "no address") == 0


def test_what_was_not_looked_at_does_not_count() -> None:
    guesses = Guesses(SetClock())
    for _ in range(50):
        guesses.count("ada", "192.0.2.1")
        guesses.was_none("ada", "192.0.2.1")
    assert guesses.wait_s("ada", "192.0.2.1") == 0


def test_memory_is_bounded() -> None:
    limit = Limit(free=5, longest_s=300, memory_s=3600, most=100, clock=SetClock())
    for number in range(1000):
        limit.count(f"{number}" * 1000)
    assert len(limit) == 100
    assert all(len(key) == 16 for key in limit._tries)
