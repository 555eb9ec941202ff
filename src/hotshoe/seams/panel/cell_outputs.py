"""Shows the outputs of a notebook's cells in Panel's template for notebooks, as ``panel serve`` does."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.core.templates import FILE
from bokeh.document import Document

from .panel_documents import panel_state


def is_panel_loaded() -> bool:
    """Whether the process has imported the whole of Panel."""
    return hasattr(sys.modules.get("panel"), "extension")


def has_content(document: Document) -> bool:
    """Whether there is something to see: a root, or a template."""
    state = panel_state()
    return bool(document.roots) or document.template is not FILE or (state is not None and document in state._templates)


def show_in_panel(document: Document, title: str, cells: Sequence[tuple[Mapping[str, Any], Sequence[Any]]]) -> None:
    """Add what the cells show, each with its layout; texts are Markdown."""
    if not cells:
        return
    panel: Any = importlib.import_module("panel")
    template = panel.template.EditableTemplate(title=title)
    template.editable = False  # after it has its editor, which its page needs
    layouts = {}
    for layout, values in cells:
        panes = [panel.panel(value) for value in values]
        sizing = "stretch_both" if {"width", "height"} <= set(layout) else "stretch_width"
        column = panel.Column(*panes, sizing_mode=sizing)
        for pane in column:
            pane.sizing_mode = sizing
        template.main.append(column)
        layouts[id(column)] = dict(layout)
    template.layout = layouts
    template.server_doc(doc=document, title=title, location=True)
