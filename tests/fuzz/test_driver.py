"""The fuzzer itself: it finds what is wrong, says how to see it again, and makes the same inputs from the same seed."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
from collections.abc import Callable, Hashable
from pathlib import Path

import pytest
from tests.fuzz import __main__ as command
from tests.fuzz import driver
from tests.fuzz.driver import Finding, Parser, check, fuzz, shortened
from tests.fuzz.mutation import LONGEST, LONGEST_REPEATED, Mutator


@pytest.fixture
def make_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Parser]:
    """Make a parser of numbers in brackets, with a corpus."""
    monkeypatch.setattr(driver, "CORPUS", tmp_path)
    (tmp_path / "numbers").mkdir()
    (tmp_path / "numbers" / "one").write_bytes(b"[1]")
    (tmp_path / "numbers" / "two").write_bytes(b"[1, 2]")

    def make(run: Callable[[bytes], Hashable]) -> Parser:
        return Parser("numbers", run, inputs=100, words=(b"word",), memory_per_byte=10, memory_bytes=100_000)

    return make


def inputs(parser: Parser, seed: int) -> list[bytes]:
    seen: list[bytes] = []

    def run(data: bytes) -> Hashable:
        seen.append(data)
        return parser.run(data)

    fuzz(Parser(parser.name, run, inputs=0, words=parser.words), seed=seed, inputs=300)
    return seen


def test_equal_seeds_make_equal_inputs(make_parser: Callable[..., Parser]) -> None:
    parser = make_parser(len)
    assert inputs(parser, 1) == inputs(parser, 1)
    assert inputs(parser, 1) != inputs(parser, 2)


def test_inputs_are_short_but_for_some_that_repeat_a_part() -> None:
    mutator = Mutator(random.Random(1), [b"abc", b"[1, 2]" * 100, b""], (b"word",))
    made = [mutator.make() for _ in range(3000)]
    long = [data for data in made if len(data) > LONGEST]
    assert 0 < len(long) < 40
    assert max(map(len, long)) <= LONGEST_REPEATED + LONGEST
    assert any(b"word" in data for data in made)
    assert len(set(made)) > 1000


def test_an_error_is_a_finding_with_its_input(make_parser: Callable[..., Parser]) -> None:
    def run(data: bytes) -> Hashable:
        if b"word" in data:
            raise KeyError("wrong")
        return 0

    with pytest.raises(Finding) as caught:
        fuzz(make_parser(run), seed=1, inputs=1000)
    assert b"word" in caught.value.data
    assert isinstance(caught.value.__cause__, KeyError)
    assert shortened(caught.value) == b"word"


def test_time_has_a_bound_also_if_the_error_is_caught(
    make_parser: Callable[..., Parser], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "SECONDS_MOST", 0.05)

    def run(data: bytes) -> Hashable:
        try:
            while True:
                pass
        except TimeoutError:
            return 0

    with pytest.raises(Finding) as caught:
        check(make_parser(run), b"x", measured=False)
    assert isinstance(caught.value.__cause__, TimeoutError)


def test_memory_has_a_bound(make_parser: Callable[..., Parser]) -> None:
    parser = make_parser(lambda data: len(bytes(100 * len(data))))
    check(parser, bytes(100), measured=True)
    with pytest.raises(Finding, match="fails with") as caught:
        check(parser, bytes(10_000), measured=True)
    assert "of memory" in str(caught.value.__cause__)


def test_an_input_with_a_new_result_is_changed_further(make_parser: Callable[..., Parser]) -> None:
    parser = make_parser(lambda data: data.count(b"word"))
    assert fuzz(parser, seed=1, inputs=3000).results > 10


def test_the_command_keeps_what_fails(
    make_parser: Callable[..., Parser], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(data: bytes) -> Hashable:
        assert b"word" not in data
        return 0

    monkeypatch.setattr(command, "PARSERS", {"numbers": make_parser(run)})
    monkeypatch.setattr(command, "FINDINGS", tmp_path / "found")
    monkeypatch.setattr(sys, "argv", ["fuzz", "--seconds", "30", "--seed", "7"])
    monkeypatch.setattr(logging, "disable", lambda level: None)
    assert command.main() == 1
    kept = tmp_path / "found" / "numbers-7"
    assert kept.read_bytes() == b"word"
    assert f"python -m tests.fuzz numbers --replay {kept}" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["fuzz", "numbers", "--replay", str(kept)])
    with pytest.raises(Finding):
        command.main()


def test_the_command_runs() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.fuzz", "tokens", "--seconds", "0.5"], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokens: " in done.stdout
