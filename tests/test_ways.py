"""docs/architecture.md walks the ways of a page and of a patch: one real request of each follows that walk."""

from __future__ import annotations

import http.client
import importlib
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from bokeh.client import ClientSession, pull_session
from bokeh.models.widgets import Slider

import hotshoe
from hotshoe import Server

DOC = Path(__file__).parents[1] / "docs/architecture.md"
SOURCES = f"{Path(hotshoe.__file__).parent}/"
ROUNDS = 5
"""What the background does falls into some of them, what belongs to the way into all."""
APP = """
from bokeh.io import curdoc
from bokeh.models import Div, Slider

slider, square = Slider(start=0, end=10, value=3), Div(text="9")
slider.on_change("value", lambda attr, old, new: square.update(text=str(new**2)))
curdoc().add_root(slider)
curdoc().add_root(square)
"""

Call = tuple[str, str]
"""File below ``src/hotshoe`` and qualified name of a function."""


def walk(title: str) -> list[Call]:
    """The steps that the docs list below a title."""
    chapter = DOC.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. `([\w/]+\.py)` `([\w.]+)`: ", chapter, re.MULTILINE)


@contextmanager
def recording() -> Iterator[Callable[[], list[Call]]]:
    """What is called of hotshoe, in all threads that begin inside; what is yielded gives the calls since the last time.
    """
    calls: list[Call] = []

    def record(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCES):
            calls.append((frame.f_code.co_filename.removeprefix(SOURCES), frame.f_code.co_qualname))

    def take() -> list[Call]:
        taken = list(calls)
        calls.clear()
        return taken

    before = sys.getprofile()
    sys.setprofile(record)
    threading.setprofile(record)
    try:
        yield take
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def missing_step(steps: list[Call], calls: list[Call]) -> Call | None:
    """The first step that is not called after those before it."""
    coming = iter(calls)
    return next((step for step in steps if step not in coming), None)


def modules_of(rounds: list[list[Call]]) -> set[str]:
    found = set.intersection(*({file for file, _ in calls} for calls in rounds))
    return {file for file in found if not file.startswith("integrations/")}  # Django's housekeeper, of another test


def get(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/app", headers={"Accept": "text/html"})
    with connection.getresponse() as response:
        response.read()
    connection.close()
    return response.status


def move(session: ClientSession, value: int) -> None:
    slider = session.document.select_one({"type": Slider})
    assert isinstance(slider, Slider)
    slider.value = value
    session.force_roundtrip()


@pytest.mark.parametrize("title", ["The way of a page", "The way of a patch"])
def test_each_function_exists(title: str) -> None:
    steps = walk(title)
    assert len(steps) >= 20
    for file, name in steps:
        found: Any = importlib.import_module(f"hotshoe.{file.removesuffix('.py').replace('/', '.')}")
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)


@pytest.mark.filterwarnings("ignore:There is no current event loop")  # in pull_session, if no test had one before
def test_a_request_follows_the_walk(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(APP)
    with recording() as take, Server({"/app": file}, port=0, address="127.0.0.1") as server:
        port, url = server.port, server.url("/app")
        assert get(port) == 200  # what is made once
        pages = []
        for _ in range(ROUNDS):
            take()
            assert get(port) == 200
            pages.append(take())
        session = pull_session(url=url)
        move(session, 4)
        patches = []
        for value in range(5, 5 + ROUNDS):
            take()
            move(session, value)
            patches.append(take())
        session.close()
    for title, rounds, most in (("page", pages, 53), ("patch", patches, 33)):
        steps = walk(f"The way of a {title}")
        assert [missing_step(steps, calls) for calls in rounds] == [None] * ROUNDS
        modules = modules_of(rounds)
        assert len(modules) <= most, "\n".join(sorted(modules))
