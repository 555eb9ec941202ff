from __future__ import annotations

import pytest

from hotshoe.client.backoff import FIRST_S, LONGEST_S, STABLE_S, Backoff


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_delays_double_up_to_a_bound(clock: Clock) -> None:
    backoff = Backoff(1000, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    delays = [backoff.delay_s() for _ in range(10)]
    assert delays[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert delays[-1] == LONGEST_S


def test_chance_shortens_them_to_a_half(clock: Clock) -> None:
    backoff = Backoff(1000, clock=clock, chance=lambda: 0.0)
    backoff.cut()
    assert backoff.delay_s() == FIRST_S / 2


def test_it_gives_up_and_does_not_oversleep(clock: Clock) -> None:
    backoff = Backoff(1, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    clock.now_s = 0.9
    assert backoff.delay_s() == pytest.approx(0.1)
    clock.now_s = 1.0
    assert backoff.delay_s() is None


def test_a_connection_that_lasts_lets_it_begin_anew(clock: Clock) -> None:
    backoff = Backoff(10, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    clock.now_s = 9
    backoff.connected()
    clock.now_s += STABLE_S
    backoff.cut()
    assert backoff.delay_s() == FIRST_S


def test_one_that_does_not_last_counts_as_a_failure(clock: Clock) -> None:
    backoff = Backoff(10, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    for _ in range(3):
        clock.now_s += 4
        backoff.connected()
        backoff.cut()
    assert backoff.delay_s() is None


def test_zero_never_tries(clock: Clock) -> None:
    backoff = Backoff(0, clock=clock)
    backoff.cut()
    assert backoff.delay_s() is None
