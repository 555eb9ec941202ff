"""What the cells of a notebook show, if it adds nothing to its document itself."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from hotshoe.apps import Request
from hotshoe.apps.loading import load
from hotshoe.config import Settings
from hotshoe.hosts.host import OpenRequest
from hotshoe.hosts.inline import InlineHost

if TYPE_CHECKING:
    from pathlib import Path

    from bokeh.document import Document
    from tests.support.app_files import Build, Write


def notebook(*cells: str | tuple[str, dict[str, Any]]) -> str:
    """Cells of code; one that starts with ``#`` and a blank is Markdown, one with a dictionary has metadata."""
    made = []
    for cell in cells:
        source, metadata = (cell, {}) if isinstance(cell, str) else cell
        kind = "markdown" if source.startswith("# ") else "code"
        made.append({"cell_type": kind, "source": source, "metadata": metadata})
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made})


def texts(root: Any) -> list[str]:
    """The texts of Panel's panes in a root, in the order of the page."""
    found = [html.unescape(root.text)] if type(root).__name__ == "HTML" else []
    return [*found, *(text for child in getattr(root, "children", ()) for text in texts(child))]


BOKEH = ("# About", "from bokeh.plotting import figure, show\nfrom bokeh.io import output_notebook\noutput_notebook()",
         "p = figure()\np.line([1], [2])", "show(p)", "1 + 1", "from bokeh.models import Div\nDiv(text='value')",
         "Div(text='silent');", "hidden = Div(text='assigned')", "p")


def test_layouts_of_bokeh_become_roots(write: Write, build: Build, monkeypatch: pytest.MonkeyPatch,
                                       caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("hotshoe.apps.outputs.is_panel_loaded", lambda: False)
    document = build(load(write({"a.ipynb": notebook(*BOKEH)}) / "a.ipynb"))
    assert [type(root).__name__ for root in document.roots] == ["figure", "Div"]
    assert document.roots[1].text == "value"  # type: ignore[attr-defined]
    assert "show() does nothing" not in caplog.text


def test_what_a_notebook_adds_itself_stands_alone(write: Write, build: Build) -> None:
    source = notebook("# Title", "from bokeh.io import curdoc\nfrom bokeh.models import Div\nDiv(text='value')",
                      "curdoc().add_root(Div(text='added'))", "Div(text='more')")
    assert [root.text for root in build(load(write({"a.ipynb": source}) / "a.ipynb")).roots] == [  # type: ignore[attr-defined]
        "added"]


def test_lines_and_values_of_the_code_stay(write: Write, build: Build) -> None:
    source = notebook("'a docstring'", "def f(x):\n    return x / 0\n\nf(1)")
    with pytest.raises(ZeroDivisionError) as caught:
        build(load(write({"a.ipynb": source}) / "a.ipynb"))
    frames = [(frame.path, frame.lineno + 1) for frame in caught.traceback if "cell" in str(frame.path)]
    assert [line for _, line in frames] == [4, 2]


PANEL = ("# My *title*", "import panel as pn\npn.extension()", "from IPython.display import HTML, display",
         "for word in ('one', 'two'):\n    display(word)\n'three'", "x = 'assigned'", "'silent';",
         "pn.pane.Markdown('four')",
         ("'five'", {"panel-layout": {"width": 50, "height": 400, "visible": True}}),
         "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "plt.gca().get_title() or None", "'six'")


@pytest.fixture
async def open_notebook(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Document]]]:
    """The document of a session, which Panel asks for."""
    pytest.importorskip("panel")
    hosts: list[InlineHost] = []

    async def open_notebook(name: str, *cells: Any) -> Document:
        (tmp_path / f"{name}.ipynb").write_text(notebook(*cells))
        host = InlineHost([tmp_path / f"{name}.ipynb"], Settings())
        hosts.append(host)
        await host.start()
        await host.open(OpenRequest(f"/{name}", Request(), "s", {}, may_create=True))
        session = host._registries[f"/{name}"].get("s")
        assert session is not None
        return session.document

    yield open_notebook
    for host in hosts:
        await host.stop()


async def test_values_texts_and_figures_in_panel(open_notebook: Callable[..., Awaitable[Document]]) -> None:
    document = await open_notebook("my_board", *PANEL)
    assert document.title == "My Board"
    main: list[Any] = [root for root in document.roots if "main" in root.tags]
    found = [text.replace("<img", "figure<") for root in main for text in texts(root)]
    shown = [re.sub(r"<[^>]*>", "", text).strip(" ¶\n") for text in found]
    assert shown == ["My title", "one", "two", "three", "four", "five", "figure", "six"]
    assert [root.sizing_mode for root in main].count("stretch_both") == 1


async def test_served_objects_stand_alone(open_notebook: Callable[..., Awaitable[Document]]) -> None:
    document = await open_notebook("a", "# Title", "import panel as pn", "pn.pane.Markdown('one').servable()", "'two'")
    assert [text for root in document.roots for text in texts(root) if text] == ["<p>one</p>\n"]
