"""Commands run in this process; what they tell bokeh and Python's logging must not outlast their test."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bokeh.settings import settings

from hotshoe.cli import main


@contextmanager
def bokehs_settings_as_before() -> Iterator[None]:
    override = dict(settings._config_override)
    try:
        yield
    finally:
        settings._config_override = override
        for switch in (settings.pretty, settings.serialize_include_defaults):
            switch.unset_value()


@contextmanager
def logging_as_before() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in ("hotshoe", "bokeh", "uvicorn")}
    handlers = list(logging.root.handlers)
    try:
        yield
    finally:
        logging.root.handlers[:] = [handler for handler in logging.root.handlers if handler in handlers]
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def all_as_before() -> Iterator[None]:
    with bokehs_settings_as_before(), logging_as_before():
        yield


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `hotshoe ARGUMENTS` in this process and the test's folder; its status, and what it wrote to both streams.

    As in `tests.support.command`, nothing is set in the environment but what the call names.
    """
    def run(*arguments: str, **environ: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch, bokehs_settings_as_before():
            patch.chdir(tmp_path)
            for name in list(os.environ):
                if name.startswith(("HOTSHOE_", "BOKEH_")):
                    patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            capsys.readouterr()
            status = main(arguments)
        return status, *capsys.readouterr()

    return run
