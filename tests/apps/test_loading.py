from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hotshoe.apps.app import App
from hotshoe.apps.loading import load, load_all, place, source_text
from hotshoe.base.errors import AppError

if TYPE_CHECKING:
    from bokeh.document import Document
    from tests.support.app_files import Build, Write

def board(doc: Document) -> None:
    doc.title = "board"


def test_urls_of_files_and_directories(write: Write) -> None:
    folder = write({"a.py": "", "my app.py": "", "b/main.py": "", "c.ipynb": '{"cells": []}'})
    apps = load_all([folder / "a.py", str(folder / "my app.py"), f"{folder}/b/", folder / "c.ipynb"])
    assert list(apps) == ["/a", "/my app", "/b", "/c"]
    assert [app.title for app in apps.values()] == ["A", "My app", "B", "C"]


def test_one_target(write: Write) -> None:
    folder = write({"a.py": ""})
    assert list(load_all(folder / "a.py")) == ["/a"]
    assert list(load_all(str(folder / "a.py"))) == ["/a"]
    assert list(load_all(board)) == ["/"]
    assert list(load_all([board])) == ["/board"]


def test_mapping(write: Write, build: Build) -> None:
    folder = write({"a.py": ""})
    apps = load_all({"x": board, "/deep/er/": folder / "a.py", "/": board})
    assert list(apps) == ["/x", "/deep/er", "/"]
    assert [app.title for app in apps.values()] == ["X", "Er", "Board"]
    assert build(apps["/x"]).title == "board"


@pytest.mark.parametrize("nothing", [None, [], (), {}])
def test_no_target_is_one_empty_app(build: Build, nothing: Any) -> None:
    apps = load_all(nothing)
    assert list(apps) == ["/"]
    assert build(apps["/"]).roots == []


def test_an_app_is_taken_as_it_is() -> None:
    app = App(board, "Mine")
    assert load(app) is app
    assert load_all({"/a": app}) == {"/a": app}


def test_two_apps_at_one_url(write: Write) -> None:
    folder = write({"a.py": "", "b/a.py": ""})
    with pytest.raises(AppError) as caught:
        load_all([folder / "a.py", folder / "b" / "a.py"])
    assert str(folder / "a.py") in str(caught.value)
    assert str(folder / "b" / "a.py") in str(caught.value)
    with pytest.raises(AppError, match="/x"):
        load_all({"x": board, "/x/": board})


@pytest.mark.parametrize("url", ["/../x", "/x/./y", "_hotshoe", "/_hotshoe/page.js", "/caf\udce9"])
def test_urls_that_no_app_can_have(url: str) -> None:
    with pytest.raises(AppError, match="can't have the URL"):
        load_all({url: board})


def test_no_app_takes_the_place_of_the_icon() -> None:
    with pytest.raises(AppError, match=r"favicon\.ico\.py: at /favicon\.ico is the icon of all pages.*: rename it"):
        place(["x/favicon.ico.py"])


@pytest.mark.parametrize("url", [None, 42, b"/x"])
def test_a_url_is_a_string(url: Any) -> None:
    with pytest.raises(AppError, match="an app's URL must be a string"):
        load_all({url: board})


def test_relative_paths_and_home(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write({"here/main.py": "", "a.py": ""})
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder / "here")
    assert list(load_all([".", "../a.py"])) == ["/here", "/a"]
    assert list(load_all("~/a.py")) == ["/a"]


def test_main_py_by_itself_is_warned_of(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    assert list(load_all(write({"main.py": ""}) / "main.py")) == ["/main"]
    assert "name the directory" in caplog.text


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.py", "no such file"), ("a.txt", "expected a .py script"), ("empty", "needs a main.py")],
)
def test_no_app(write: Write, name: str, reason: str) -> None:
    folder = write({"a.txt": "", "empty/x": ""})
    with pytest.raises(AppError) as caught:
        load(folder / name)
    assert str(caught.value).startswith(f"{folder / name}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("targets", [3, [3], {"/x": 3}, {3: board}, [None]])
def test_what_is_no_target(targets: Any) -> None:
    with pytest.raises(AppError):
        load_all(targets)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    with pytest.raises(AppError, match="not a regular file"):
        load(tmp_path / "a.py")


def test_a_script_is_read_in_its_encoding(write: Write) -> None:
    folder = write({"a.py": "# coding: latin-1\r\nx = 'é'\r\n".encode("latin-1"), "b.py": b"\xef\xbb\xbfx = 1"})
    assert source_text(folder / "a.py") == "# coding: latin-1\nx = 'é'\n"
    assert source_text(folder / "b.py") == "x = 1"


def test_a_notebook_is_shown_without_its_outputs(write: Write) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Text"]},
        {"cell_type": "code", "source": "%matplotlib inline\nx = 1\n", "outputs": [{"text": "a secret"}]},
        {"cell_type": "code", "source": ""},
    ]
    folder = write({"a.ipynb": json.dumps({"nbformat": 4, "metadata": {}, "cells": cells})})
    expected = "# %% [markdown]\n# # Title\n#\n# Text\n\n\n# %%\n%matplotlib inline\nx = 1\n"
    assert source_text(folder / "a.ipynb") == expected


@pytest.mark.parametrize(("name", "content"), [("a.py", b"x = '\xff'"), ("a.py", b"# coding: none"), ("a.ipynb", b"[")])
def test_what_cannot_be_read(write: Write, name: str, content: bytes) -> None:
    with pytest.raises(AppError):
        source_text(write({name: content}) / name)
    with pytest.raises(AppError):
        source_text(write({}) / "missing.py")
