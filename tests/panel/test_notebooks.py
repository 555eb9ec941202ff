"""What the cells of a notebook of Panel show, if it adds nothing to its document: as `panel serve` shows it."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.needs import need_module
from tests.support.notebooks import notebook

pytestmark = pytest.mark.real

PANEL = ("# My *title*", "import panel as pn\npn.extension()", "from IPython.display import HTML, display",
         "for word in ('one', 'two'):\n    display(word)\n'three'", "x = 'assigned'", "'silent';",
         "pn.pane.Markdown('four')",
         ("'five'", {"panel-layout": {"width": 50, "height": 400, "visible": True}}),
         "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "plt.gca().get_title() or None", "'six'")
SERVED = ("# Title", "import panel as pn", "pn.pane.Markdown('one').servable()", "'two'")

TEXTS = ("# Only *words*", "# And more")


def texts(value: Any) -> Iterator[str]:
    """The texts of Panel's panes, in the order of the page."""
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, dict):
        attributes = value.get("attributes", {})
        if value.get("name") == "panel.models.markup.HTML" and (text := html.unescape(attributes.get("text", ""))):
            yield re.sub(r"<[^>]*>", "", text.replace("<img", "figure<")).strip(" ¶\n")
        yield from texts(attributes.get("children", []))


def test_values_texts_and_figures_or_what_is_served(tmp_path: Path) -> None:
    need_module("panel")
    (tmp_path / "my_board.ipynb").write_text(notebook(*PANEL))
    (tmp_path / "served.ipynb").write_text(notebook(*SERVED))
    (tmp_path / "texts.ipynb").write_text(notebook(*TEXTS))
    command = [sys.executable, "-m", "hotshoe", "json", "texts.ipynb", "my_board.ipynb", "served.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    board, served, words = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("my_board", "served", "texts"))
    assert list(texts(words["roots"]))[-2:] == ["Only words", "And more"]
    assert board["title"] == "My Board"
    main = [root for root in board["roots"] if "main" in root["attributes"].get("tags", ())]
    assert list(texts(main)) == ["My title", "one", "two", "three", "four", "five", "figure", "six"]
    assert [root["attributes"]["sizing_mode"] for root in main].count("stretch_both") == 1
    assert list(texts(served["roots"])) == ["one"]
