"""What the cells of a notebook show, for a notebook that adds nothing to its document: as ``panel serve`` shows it.

The value of a cell's last line is an output, unless a semicolon ends it; so is what ``display`` and ``show`` get, and
matplotlib's current figure. The notebook's texts stand between them.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bokeh.models import LayoutDOM

from ..seams.panel import has_content, is_panel_loaded, show_in_panel
from .process import current_run

if TYPE_CHECKING:
    from bokeh.document import Document

_RECORD = "_hotshoe_output"


@dataclass(slots=True)
class Outputs:
    """The outputs of one run of a notebook, with the numbers of their code cells."""

    cell: int = 0
    """The cell that runs now."""
    found: list[tuple[int, Any]] = field(default_factory=list)
    figure: Any = None

    def add(self, value: Any) -> None:
        """Note an output of this cell."""
        if value is not None:
            self.found.append((self.cell, value))

    def add_figure(self) -> None:
        """Note matplotlib's current figure, if it is another than before, and has something to show."""
        pyplot = sys.modules.get("matplotlib.pyplot")  # which another session may be importing just now
        if pyplot is None or not hasattr(pyplot, "get_fignums") or not pyplot.get_fignums():
            return
        figure = pyplot.gcf()
        if figure is not self.figure and figure.get_axes():
            self.figure = figure
            self.add(figure)


@dataclass(frozen=True, slots=True)
class Part:
    """A cell of a notebook: its text, and its number if that is code."""

    text: str
    cell: int | None = None
    layout: Mapping[str, Any] = field(default_factory=dict)
    """Its place and size, as Panel keeps them in the notebook."""


def record(tree: ast.Module, source: str) -> ast.Module:
    """Let the code of a cell note the value of its last line."""
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "IPython.display":
            _leave_out_display(statement)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
        name = ast.Name(_RECORD, ast.Load())
        last.value = ast.Call(name, [last.value], [])
        ast.fix_missing_locations(ast.copy_location(name, last))
        ast.fix_missing_locations(ast.copy_location(last.value, last))
    return tree


def _leave_out_display(statement: ast.ImportFrom) -> None:
    """The name is a function of ours; that of IPython only prints here."""
    for alias in statement.names:
        if alias.name == "display":
            alias.asname = alias.asname or _RECORD + "_unused"


def _record(value: Any) -> Any:
    _display(value)
    if (run := current_run()) is not None and run.outputs is not None:
        run.outputs.add_figure()
    return value


def _display(*values: Any, **_options: Any) -> None:
    if (run := current_run()) is not None and run.outputs is not None:
        for value in values:
            run.outputs.add(value)


NAMES: Mapping[str, Any] = {_RECORD: _record, "display": _display}
"""What the code of a notebook can call."""


def show_outputs(document: Document, name: str, parts: Sequence[Part], outputs: Outputs) -> None:
    """Show the outputs of a notebook, unless it has added something to the document itself.

    If it uses nothing of Panel, its layouts of bokeh become roots of the document; for other values, Panel is needed.
    """
    found, outputs.found = outputs.found, []
    if has_content(document):
        return
    layouts = [value for _, value in found if isinstance(value, LayoutDOM)]
    code = [part.text for part in parts if part.cell is not None]
    uses_panel = is_panel_loaded() and any("panel" in text for text in code)
    shows_nothing = bool(code) and not found  # one of texts only shows them
    if not uses_panel and (layouts or shows_nothing or importlib.util.find_spec("panel") is None):
        for layout in dict.fromkeys(layouts):
            document.add_root(layout)
        return
    shown = [(part.layout, [part.text] if part.cell is None else [value for cell, value in found if cell == part.cell])
             for part in parts]
    show_in_panel(document, name.replace("_", " ").title(), [(layout, values) for layout, values in shown if values])
