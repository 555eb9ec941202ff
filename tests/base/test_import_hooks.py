"""What is done as soon as a module has been imported."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hotshoe.base.import_hooks import when_imported


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("awaited_"):
            del sys.modules[name]


def test_is_called_once_the_whole_module_has_run(folder: Path) -> None:
    (folder / "awaited_one.py").write_text("first = 1\nlast = 2\n")
    seen: list[dict[str, object]] = []
    when_imported("awaited_one", lambda module: seen.append({"last": module.last, "file": module.__file__}))
    assert not seen
    module = importlib.import_module("awaited_one")
    importlib.import_module("awaited_one")
    assert seen == [{"last": 2, "file": str(folder / "awaited_one.py")}]
    assert module.__spec__ is not None
    assert type(module.__loader__).__name__ == type(module.__spec__.loader).__name__ == "SourceFileLoader"


def test_is_called_at_once_if_the_module_is_there(folder: Path) -> None:
    (folder / "awaited_two.py").write_text("")
    module = importlib.import_module("awaited_two")
    seen: list[ModuleType] = []
    when_imported("awaited_two", seen.append)
    assert seen == [module]


def test_serves_submodules_reloads_and_imports_that_failed_before(folder: Path) -> None:
    package = folder / "awaited_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("raise RuntimeError('not yet')")
    seen: list[str] = []
    when_imported("awaited_package.part", lambda module: seen.append(module.__name__))
    with pytest.raises(RuntimeError, match="not yet"):
        importlib.import_module("awaited_package.part")
    assert not seen
    (package / "part.py").write_text("value = 'now it works'")
    importlib.invalidate_caches()
    module = importlib.import_module("awaited_package.part")
    assert seen == ["awaited_package.part"]
    importlib.reload(module)
    assert seen == ["awaited_package.part"] * 2


def test_others_wait_until_it_is_done(folder: Path) -> None:
    (folder / "awaited_three.py").write_text("state = 'plain'")
    inside, go_on = threading.Event(), threading.Event()

    def patch(module: ModuleType) -> None:
        inside.set()
        assert go_on.wait(5)
        module.state = "patched"  # type: ignore[attr-defined]

    when_imported("awaited_three", patch)
    first = threading.Thread(target=importlib.import_module, args=("awaited_three",))
    first.start()
    assert inside.wait(5)
    states: list[str] = []
    second = threading.Thread(target=lambda: states.append(importlib.import_module("awaited_three").state))
    second.start()
    second.join(0.05)
    assert second.is_alive()
    assert not states
    go_on.set()
    first.join(5)
    second.join(5)
    assert states == ["patched"]


def test_a_failure_is_logged_and_the_import_goes_on(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "awaited_four.py").write_text("value = 4")
    seen: list[int] = []
    when_imported("awaited_four", lambda module: 1 / 0)
    when_imported("awaited_four", lambda module: seen.append(module.value))
    with caplog.at_level(logging.ERROR):
        assert importlib.import_module("awaited_four").value == 4
    assert seen == [4]
    assert "after the import of awaited_four failed" in caplog.text


def test_a_module_can_be_looked_for_without_importing_it(folder: Path) -> None:
    (folder / "awaited_five.py").write_text("value = 5")
    when_imported("awaited_five", lambda module: None)
    spec = importlib.util.find_spec("awaited_five")
    assert spec is not None
    assert spec.loader is not None
    assert spec.origin == str(folder / "awaited_five.py")
    assert spec.loader.get_source("awaited_five") == "value = 5"  # type: ignore[attr-defined]
    assert importlib.util.find_spec("awaited_missing") is None
    when_imported("awaited_missing", lambda module: None)
    assert importlib.util.find_spec("awaited_missing") is None
