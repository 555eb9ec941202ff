"""A Python file as a program, and a program as an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..panel_seams import finish_panel
from .code import Program, compile_python, read
from .description import Description, from_docstring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

    from bokeh.document import Document


def load_script(
    path: Path, argv: Sequence[str] = (), package: ModuleType | None = None
) -> tuple[Program, Description]:
    """The script as a program and what it says about itself. Raises AppError."""
    code, docstring = compile_python(read(path), str(path))
    return Program(path, (code,), tuple(argv), package), from_docstring(docstring)


def builder(program: Program) -> Callable[[Document], None]:
    """A ``build`` that runs the program in a module of its own, which lives as long as the document."""

    def build(document: Document) -> None:
        module = program.new_module()
        document.modules.add(module)
        program.run(module)
        finish(document)

    return build


def finish(document: Document) -> None:
    """What is left when an app's code has run."""
    finish_panel(document)
