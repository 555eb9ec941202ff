"""What tells an app apart from those of other servers, and is the same in all processes that serve it."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bokeh.application import Application
from bokeh.application.handlers import DirectoryHandler, FunctionHandler, ScriptHandler
from bokeh.document import Document

from hotshoe.apps import App, Sources
from hotshoe.apps.loading import load_all, load_at

SOURCE = """
class Filling:
    def __call__(self, doc): pass
    def fill(self, doc): pass
def public(doc): pass
def secret(doc): pass
def make():
    def made(doc): pass
    return made
"""


def module_of(folder: Path, name: str = "site", text: str = SOURCE) -> Any:
    folder.mkdir(exist_ok=True)
    file = folder / "site.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def origin(target: Any, url: str = "/app") -> str:
    return load_at(url, target).origin


def test_functions_differ_by_file_and_name(tmp_path: Path) -> None:
    one, two = module_of(tmp_path / "one"), module_of(tmp_path / "two")
    again = module_of(tmp_path / "one", "__main__", "# a newer version\n" + SOURCE)
    getters: list[Callable[[Any], Any]] = [
        lambda module: module.public, lambda module: module.secret, lambda module: module.make(),
        lambda module: Application(FunctionHandler(module.secret)) if module is two else module.Filling().fill]
    seen = [[origin(get(module)) for get in getters] for module in (one, two)]
    assert len({*seen[0], *seen[1]}) == 7, "an Application's function is that function"
    assert [origin(get(again)) for get in getters[:3]] == seen[0][:3]
    assert origin(functools.partial(functools.partial(one.public), x=1)) == seen[0][0]
    assert origin(functools.wraps(one.public)(lambda doc: None)) == seen[0][0]
    assert origin(one.Filling()) != origin(one.public)


def test_files_differ_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name / "app.py" for name in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        file.write_text("x = 1")
    seen = [origin(file) for file in files]
    assert len(set(seen)) == 2
    monkeypatch.chdir(files[0].parent)
    assert origin("app.py") == seen[0]
    handlers = [origin(Application(ScriptHandler(filename=os.fspath(file)))) for file in files]
    assert len(set(handlers)) == 2
    for file in files:
        file.rename(file.with_name("main.py"))
    folders = [origin(Application(DirectoryHandler(filename=os.fspath(file.parent)))) for file in files]
    assert len(set(folders)) == 2
    assert len({origin(file.parent) for file in files}) == 2


def test_a_newer_version_has_the_same(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("x = 1")
    sources = Sources(file)
    first = sources.apps["/app"].origin
    assert first == origin(file)
    for text in ("x = 22", "x = (", "x = 3333"):
        file.write_text(text)
        assert sources.reload(sources.changes())
        assert sources.apps["/app"].origin == first, text
    assert load_all(file)["/app"].origin == first


def test_an_app_may_bring_its_own() -> None:
    def fill(document: Document) -> None:
        """An empty app."""

    assert origin(App(fill, origin="mine")) == "mine"
    assert origin(App(fill)) == ""
