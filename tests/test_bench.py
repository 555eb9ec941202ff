"""The arithmetic by which ``scripts/bench --against COMMIT`` says whether a version is slower."""

from __future__ import annotations

import math

import pytest
from benchmarks.ratios import Comparison, Verdict, times_better


def test_less_of_what_should_be_low_is_better_and_more_of_what_should_be_high() -> None:
    assert times_better(10.0, 20.0) == 2.0
    assert times_better(20.0, 10.0) == 0.5
    assert times_better(20.0, 10.0, "higher") == 2.0


def test_nothing_is_as_good_as_nothing_and_infinitely_better_than_something() -> None:
    assert times_better(0.0, 0.0) == 1.0
    assert times_better(0.0, 5.0) == math.inf


def test_the_median_is_that_of_the_ratios_of_each_round() -> None:
    """Not the ratio of the medians: a machine that is slow for one round is slow for both versions."""
    old, new = [10.0, 40.0, 11.0], [11.0, 44.0, 11.0]
    ratios = [times_better(value, base) for value, base in zip(new, old, strict=True)]
    assert Comparison.of(ratios).median == pytest.approx(1 / 1.1)


def test_the_spread_is_that_of_the_middle_half_of_the_rounds() -> None:
    comparison = Comparison.of([0.5, 0.96, 0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 9.0])
    assert (comparison.lower_quartile, comparison.median, comparison.upper_quartile) == (0.97, 0.99, 1.01)
    assert comparison.rounds == 9


def test_one_round_has_no_spread() -> None:
    assert Comparison.of([0.9]) == Comparison(0.9, 0.9, 0.9, 1)


@pytest.mark.parametrize(("ratios", "verdict"), [
    ([0.98] * 9, Verdict.FINE),
    ([1.4] * 9, Verdict.FINE),
    ([0.96] * 9, Verdict.WORSE),
    ([0.5] * 4 + [1.0] * 5, Verdict.FINE),
    ([0.5] * 5 + [1.1] * 4, Verdict.UNCLEAR),
    ([0.9] * 7 + [1.1] * 2, Verdict.WORSE),
    ([0.9], Verdict.UNCLEAR),
    ([0.9] * 4, Verdict.UNCLEAR),
    ([0.9] * 5, Verdict.WORSE),
])
def test_what_is_more_than_three_percent_worse_is_marked_and_what_the_rounds_do_not_agree_on_is_unclear(
    ratios: list[float], verdict: Verdict,
) -> None:
    assert Comparison.of(ratios).verdict is verdict
