"""Feeds a parser with inputs, and looks at what becomes of them: its own errors are fine, all else is a finding.

``make fuzz`` runs ``__main__.py``; ``test_fuzz.py`` runs the whole corpus, and a fixed number of new inputs.
"""

from __future__ import annotations

import random
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from .mutation import Mutator

CORPUS = Path(__file__).parent / "corpus"
SECONDS_MOST = 10.0
"""Of this process's own time, for one input: a generous bound, since a busy machine does not count."""
MEASURED_ONE_IN = 50
"""The memory of one in so many inputs is measured, which makes it slow; and of all long ones, and of the corpus."""
LONG_BYTES = 8192
KEPT_MOST = 2000
"""How many inputs that reached something new are kept beside the corpus."""


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser, and what must be true of it."""

    name: str
    """Also of its folder of the corpus."""
    run: Callable[[bytes], Hashable]
    """Give the parser one input. Raises if it does anything wrong.

    Returns what became of the input, roughly: an input with a new result is kept, to be changed further.
    """
    inputs: int
    """How many inputs ``make test`` makes; together, all parsers may take 60 s."""
    words: tuple[bytes, ...] = ()
    """Is put into inputs: what the parser looks for."""
    memory_per_byte: int = 200
    """The most memory that an input may take for each of its bytes, beside ``memory_bytes``."""
    memory_bytes: int = 1 << 20

    def corpus(self) -> dict[str, bytes]:
        """The inputs of its folder, by the names of the files."""
        return {path.name: path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())}


class Finding(Exception):
    """An input that the parser does not take as it must; the cause is what happened."""

    def __init__(self, parser: Parser, data: bytes) -> None:
        super().__init__(f"{parser.name} fails with {data[:300]!r}")
        self.parser = parser
        self.data = data


@dataclass(frozen=True, slots=True)
class Count:
    """What a run has done."""

    inputs: int
    results: int
    """Different results of ``Parser.run``."""
    new: int
    """Inputs that had a new result, or reached new lines."""
    lines: int
    """Lines of hotshoe that have run; 0 before Python 3.12."""


def check(parser: Parser, data: bytes, *, measured: bool) -> Hashable:
    """Run one input within the bounds of time and, if ``measured``, of memory. Raises ``Finding``."""
    try:
        with _in_time():
            return _within_memory(parser, data) if measured else parser.run(data)
    except Exception as error:
        raise Finding(parser, data) from error


def fuzz(parser: Parser, *, seed: int, inputs: int | None = None, seconds: float | None = None) -> Count:
    """Make so many inputs, or for so long, and check them. Raises ``Finding`` for the first that fails."""
    corpus = list(parser.corpus().values())
    room = len(corpus) + KEPT_MOST
    source = random.Random(f"{parser.name} {seed}")
    mutator = Mutator(source, corpus, parser.words)
    end = None if seconds is None else time.monotonic() + seconds
    results: set[Hashable] = set()
    count = new = 0
    with Lines() as lines:
        for data in corpus[:]:
            results.add(check(parser, data, measured=False))
        while (inputs is None or count < inputs) and (end is None or time.monotonic() < end):
            data = mutator.make()
            before = lines.count, len(results)
            results.add(check(parser, data, measured=count % MEASURED_ONE_IN == 0 or len(data) > LONG_BYTES))
            count += 1
            if (lines.count, len(results)) != before:
                new += 1
                if len(corpus) < room and len(data) <= LONG_BYTES:
                    corpus.append(data)
        return Count(count, len(results), new, lines.count)


def shortened(finding: Finding, tries: int = 2000) -> bytes:
    """A shorter input that fails with the same kind of error."""
    kind, data = type(finding.__cause__), finding.data
    size = max(1, len(data) // 2)
    while size and tries > 0:
        start = 0
        while start < len(data) and tries > 0:
            tries -= 1
            shorter = data[:start] + data[start + size:]
            try:
                check(finding.parser, shorter, measured=len(shorter) > LONG_BYTES)
                start += size
            except Finding as other:
                if type(other.__cause__) is kind:
                    data = shorter
                else:
                    start += size
        size //= 2
    return data


def _within_memory(parser: Parser, data: bytes) -> Hashable:
    tracemalloc.start()
    try:
        result = parser.run(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = parser.memory_bytes + parser.memory_per_byte * len(data)
    assert peak <= most, f"{len(data)} bytes took {peak} bytes of memory, which is more than {most}"
    return result


@contextmanager
def _in_time() -> Iterator[None]:
    late = TimeoutError(f"took more than {SECONDS_MOST:g} s")
    is_late = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal is_late
        is_late = True
        raise late

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_MOST, SECONDS_MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    if is_late:  # and something has caught the error
        raise late


class Lines:
    """Counts the lines of hotshoe that run meanwhile. Each costs nothing after its first time."""

    def __init__(self) -> None:
        self.count = 0
        self._monitoring: Any = getattr(sys, "monitoring", None)  # since Python 3.12

    def __enter__(self) -> Lines:
        if (monitoring := self._monitoring) is not None:
            monitoring.use_tool_id(monitoring.COVERAGE_ID, "hotshoe's fuzzer")
            monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, self._note)
            monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
            monitoring.restart_events()
        return self

    def __exit__(self, *error: object) -> None:
        if (monitoring := self._monitoring) is not None:
            monitoring.set_events(monitoring.COVERAGE_ID, 0)
            monitoring.free_tool_id(monitoring.COVERAGE_ID)

    def _note(self, code: CodeType, line: int) -> Any:
        self.count += "/src/hotshoe/" in code.co_filename
        return self._monitoring.DISABLE
