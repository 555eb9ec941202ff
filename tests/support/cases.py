"""One test of many cases: each of them is checked, and each that fails is shown.

It is for cases that need no report of their own, such as every row of a table.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

Case = Callable[[object], AbstractContextManager[None]]
"""What checks one case, by its name: ``with case("port"): assert …``."""


@contextmanager
def every_case() -> Iterator[Case]:
    """Fail at the end with all cases that failed, or if there was no case at all."""
    count = 0
    failures: list[str] = []

    @contextmanager
    def case(name: object) -> Iterator[None]:
        nonlocal count
        count += 1
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:  # the second is what pytest.raises raises
            failures.append(f"{name}: {_described(error)}")

    yield case
    assert count, "there is no case"
    if failures:
        pytest.fail("\n".join([f"{len(failures)} of {count} cases fail:", *failures]), pytrace=False)


def _described(error: BaseException) -> str:
    """The error, and the line of the test: the first frame is that of the context manager."""
    frame = traceback.extract_tb(error.__traceback__)[1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {error}"
