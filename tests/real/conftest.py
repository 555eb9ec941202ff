"""Running servers: `Server` on a thread of this process, serving apps whose source is given."""

from __future__ import annotations

import gc
import logging
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hotshoe import Server

MakeServer = Callable[..., Server]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Makes running servers: ``make_server(name="source", other=function, threads=8, …)``.

    What is text or callable is an app of that name, the rest are settings.
    """
    with ExitStack() as stack:

        def make(**named: Any) -> Server:
            apps: dict[str, Any] = {}
            for name, app in named.items():
                if isinstance(app, Path) or callable(app):
                    apps[f"/{name}"] = app
                elif isinstance(app, str) and "\n" in app:
                    file = tmp_path / f"{name}.py"
                    file.write_text(textwrap.dedent(app))
                    apps[f"/{name}"] = file
            settings = {name: value for name, value in named.items() if f"/{name}" not in apps}
            return stack.enter_context(Server(apps, **{"port": 0, "address": "127.0.0.1", **settings}))

        yield make


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Waits for what another thread or process does."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def collect() -> None:
    """Ends what only the collector can end."""
    for _ in range(3):
        gc.collect()


@pytest.fixture
def problems(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What has been logged so far from WARNING on, and forgets it."""
    caplog.set_level(logging.WARNING)

    def take() -> list[str]:
        lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        caplog.clear()
        return lines

    return take
