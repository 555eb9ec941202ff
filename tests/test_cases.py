"""A test of many cases shows all that fail."""

from __future__ import annotations

import pytest
from tests.support.cases import every_case


def check(numbers: list[int]) -> None:
    with every_case() as case:
        for number in numbers:
            with case(f"number {number}"):
                assert 100 / number > 10


def test_nothing_fails() -> None:
    check([1, 2, 3])


def test_each_case_that_fails_is_shown() -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        check([1, 20, 0, 30, 4])
    first, *lines = str(caught.value).splitlines()
    assert first == "3 of 5 cases fail:"
    shown = [line for line in lines if line.startswith("number ")]
    assert [line.partition(" at test_cases.py:")[0] for line in shown] == [
        "number 20: AssertionError", "number 0: ZeroDivisionError", "number 30: AssertionError"]
    assert "assert (100 / 20) > 10" in shown[0]


def test_what_should_be_raised_and_is_not_is_a_failure() -> None:
    with (pytest.raises(pytest.fail.Exception, match="silent: Failed at test_cases"), every_case() as case,
          case("silent"), pytest.raises(ValueError, match="no number")):
        pass


def test_no_case_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="there is no case"):
        check([])


def test_an_interruption_is_none() -> None:
    with pytest.raises(KeyboardInterrupt), every_case() as case, case("interrupted"):
        raise KeyboardInterrupt
