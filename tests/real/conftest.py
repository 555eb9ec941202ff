"""Running servers: `Server` on a thread of this process, serving apps whose source is given."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.server_thread import MakeServer

from hotshoe import Server


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


@pytest.fixture
def problems(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What has been logged so far from WARNING on, and forgets it."""
    caplog.set_level(logging.WARNING)

    def take() -> list[str]:
        lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        caplog.clear()
        return lines

    return take
