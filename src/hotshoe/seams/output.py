"""``bokeh.io`` in a running app: a state of outputs for each, and ``show`` and its kin do nothing."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Protocol

import bokeh.io
import bokeh.io.state as io_state
from bokeh.io.state import curstate


class AppRun(Protocol):
    """A run of an app's code: owns a state of ``bokeh.io`` and is told which output function it called."""

    io_state: Any

    def refuse(self, name: str) -> None: ...


_OUTPUT_FUNCTIONS = ("output_file", "output_notebook", "reset_output", "save", "show")
_OUTPUT_MODULES = ("bokeh.io", "bokeh.io.output", "bokeh.io.saving", "bokeh.io.showing", "bokeh.plotting")


class _AppState:
    """Stands where bokeh keeps its one ``State`` of outputs: inside an app that app's, outside the process's."""

    def __init__(self, running: Callable[[], AppRun | None]) -> None:
        self.__dict__.update(running=running, own=curstate())

    def _current(self) -> Any:
        run: AppRun | None = self.__dict__["running"]()
        if run is None:
            return self.__dict__["own"]
        if run.io_state is None:
            run.io_state = io_state.State()
        return run.io_state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._current(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._current(), name, value)


def isolate_output(running: Callable[[], AppRun | None]) -> None:
    """Give each running app a ``curstate()`` of its own and let ``show`` and its kin do nothing in it.

    ``running`` tells the run of this context, None outside of apps, where all works as ever. Done once.
    """
    if isinstance(io_state._STATE, _AppState):
        return
    for name in _OUTPUT_FUNCTIONS:
        original = getattr(bokeh.io, name)
        silent = _silent_in_apps(original, running)
        for module in map(sys.modules.get, _OUTPUT_MODULES):
            if getattr(module, name, None) is original:
                setattr(module, name, silent)
    io_state._STATE = _AppState(running)  # type: ignore[assignment]


def _silent_in_apps(function: Callable[..., Any], running: Callable[[], AppRun | None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        run = running()
        return function(*arguments, **options) if run is None else run.refuse(function.__name__)

    return call
