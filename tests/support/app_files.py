"""Types of the fixtures with which tests of apps write files and fill documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bokeh.document import Document

    from hotshoe.apps.app import App

Write = Callable[..., Path]
Build = Callable[["App"], "Document"]
