"""Names of components in URLs: no name imports a module or runs its code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hotshoe.base.errors import RequestError
from hotshoe.seams.panel import component_file, component_source


@pytest.fixture(autouse=True)
def _panel(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = SimpleNamespace(ComponentResourceHandler=object())
    monkeypatch.setitem(sys.modules, "panel.io.server", handler)


def test_a_lazy_module_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hotshoe_lazy_parts.py"
    file.write_text("raise AssertionError('it was run')\n")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, file.stem, module)
    assert component_source(f"{file.stem}/Widget/css/a.css") is None


@pytest.mark.parametrize("module", [SimpleNamespace(Widget=int), object(), None])
def test_what_is_no_module_has_no_files(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hotshoe_no_module", module)
    assert component_source("hotshoe_no_module/Widget/css/a.css") is None
    with pytest.raises(RequestError):
        component_file("hotshoe_no_module/Widget/css/a.css")
