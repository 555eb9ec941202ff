from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hotshoe.apps.source import source_text
from hotshoe.errors import AppError

if TYPE_CHECKING:
    from .conftest import Write


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
