"""bokeh's own ``show`` after ``%load_ext hotshoe``, by bokeh's own table of hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bokeh.io.notebook
import pytest
from bokeh.io.notebook import run_notebook_hook
from bokeh.io.state import State

import hotshoe
from hotshoe.notebook import hooks


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    apps: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(hooks, "show", lambda app, **settings: apps.append((app, settings)))
    hotshoe.load_ipython_extension(None)
    yield apps
    hotshoe.unload_ipython_extension(None)


def app(document: object) -> None: ...


def test_apps_are_shown_by_hotshoe(shown: list[tuple[Any, dict[str, Any]]]) -> None:
    run_notebook_hook("jupyter", "app", app, State(), "localhost:8888", height=300)
    run_notebook_hook("jupyter", "app", app, State(), lambda port: "", port=0)
    assert shown == [(app, {"height": 300}), (app, {"port": 0})]


def test_it_can_be_loaded_twice(shown: list[tuple[Any, dict[str, Any]]]) -> None:
    hotshoe.load_ipython_extension(None)
    run_notebook_hook("jupyter", "app", app, State(), "")
    assert len(shown) == 1


def test_what_bokeh_had_comes_back(shown: list[tuple[Any, dict[str, Any]]]) -> None:
    hotshoe.unload_ipython_extension(None)
    hook: dict[str, Any] = {**bokeh.io.notebook._HOOKS["jupyter"]}
    assert hook == {"load": bokeh.io.notebook.load_notebook, "doc": bokeh.io.notebook.show_doc,
                    "app": bokeh.io.notebook.show_app}
