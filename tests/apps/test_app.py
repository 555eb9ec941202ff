from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotshoe.apps.app import from_docstring, from_markdown, title_from_name
from hotshoe.apps.loading import load

if TYPE_CHECKING:
    from tests.support.app_files import Write

@pytest.mark.parametrize(
    ("docstring", "title", "text"),
    [
        (None, "", ""),
        ("  \n ", "", ""),
        ("Stock explorer\n\nShows\n  prices.\n\nMore.", "Stock explorer", "Shows prices."),
        ("Present an explorer.\n\nScrub the sliders.", "", "Present an explorer."),
        ("Two lines\nof text", "", "Two lines of text"),
        ("Only a title", "Only a title", ""),
        ("Uses `Auto MPG`_ and :ref:`a page <b>` and ``code``.", "", "Uses Auto MPG and a page and code."),
        ("x" * 41, "", "x" * 41),
    ],
)
def test_docstring(docstring: str | None, title: str, text: str) -> None:
    assert from_docstring(docstring) == (title, text)


@pytest.mark.parametrize(
    ("markdown", "title", "text"),
    [
        ("", "", ""),
        ("# Weather **now**\n\nSee [here](http://x) and `y_z`.\n\nMore.", "Weather now", "See here and y_z."),
        ("## Weather\nAt once.", "Weather", "At once."),
        ("Just _text_.", "", "Just text."),
        ("# A\n\n## B", "A", ""),
    ],
)
def test_markdown(markdown: str, title: str, text: str) -> None:
    assert from_markdown(markdown) == (title, text)


def test_title_from_name() -> None:
    assert title_from_name("selection_histogram") == "Selection histogram"
    assert title_from_name("my-app 2") == "My app 2"
    assert title_from_name("") == ""


def test_an_app_is_described_without_being_run(write: Write) -> None:
    folder = write({"my_app.py": '"""Shows it all."""\nraise SystemExit', "b.py": '"""Big picture"""'})
    app = load(folder / "my_app.py")
    assert (app.title, app.description) == ("My app", "Shows it all.")
    assert load(folder / "b.py").title == "Big picture"


def test_thumbnails(write: Write) -> None:
    folder = write({
        "a.py": "", "a.png": "of something else", "b.py": "", "thumbnails/b.png": "", "thumbnails/b.webp": "",
        "c/main.py": "", "c/thumbnail.jpg": "", "d.ipynb": '{"cells": []}', "thumbnails/d.jpg": "",
    })
    assert [app.thumbnail for app in map(load, (folder / name for name in ("a.py", "b.py", "c", "d.ipynb")))] == [
        None, folder / "thumbnails/b.webp", folder / "c/thumbnail.jpg", folder / "thumbnails/d.jpg",
    ]


def test_the_source_of_an_app_is_its_main_file(write: Write) -> None:
    folder = write({"a.py": "", "b/main.py": "", "b/other.py": ""})
    assert load(folder / "a.py").source == folder / "a.py"
    assert load(folder / "b").source == folder / "b/main.py"
    assert load(lambda doc: None).source is None
