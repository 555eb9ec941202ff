"""Notebooks made of their cells."""

from __future__ import annotations

import json
from typing import Any


def notebook(*cells: str | tuple[str, dict[str, Any]]) -> str:
    """Cells of code; one that starts with ``#`` and a blank is Markdown, one with a dictionary has metadata."""
    made = []
    for cell in cells:
        source, metadata = (cell, {}) if isinstance(cell, str) else cell
        kind = "markdown" if source.startswith("# ") else "code"
        made.append({"cell_type": kind, "source": source, "metadata": metadata})
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made})
