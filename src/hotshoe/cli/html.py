"""``hotshoe html``: each app as a page that needs no server."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AppError, ConfigError
from .documents import STDOUT, add_arguments, split, use_each, write
from .loading import tell_bokeh
from .options import Parser

if TYPE_CHECKING:
    import argparse

    from bokeh.document import Document

_MODES = ("cdn", "inline", "relative", "absolute", "server")
_SHOWN = 10
_ALWAYS_THERE = ("document", "BrowserInfo", "Location")
"""What Panel listens to in every document, and also once it is merely imported."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Write a page for each app. Raises ``UserError``."""
    own, argv = split(arguments)
    values = make_parser().parse_intermixed_args(own)
    tell_bokeh()
    template = None if values.template is None else _text(values.template)
    use_each(values.files, argv, values.output, "html", partial(_use, values, template))
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe html``."""
    parser = Parser(
        prog="hotshoe html",
        usage="hotshoe html FILE [FILE ...] [options] [--args ...]",
        description="Run each app once, without a server, and write a page that shows its document. What is done in "
                    "JavaScript works in it, Python callbacks do not: it says which these are.")
    add_arguments(parser, "html")
    parser.add_argument("--resources", metavar="MODE", choices=_MODES, default=None,
                        help="Where BokehJS comes from: cdn loads it from cdn.bokeh.org, inline puts it into the page; "
                             "relative, absolute and server name a folder or server (default: BOKEH_RESOURCES, or cdn)")
    parser.add_argument("--title", metavar="TEXT", default=None, help="Title of the page (default: the document's)")
    parser.add_argument("--template", metavar="FILE", type=Path, default=None,
                        help="Template of Jinja2, as bokeh.embed.file_html takes it (default: the app's own)")
    parser.add_argument("--show", action="store_true", help="Open each page in the browser")
    return parser


def _use(values: argparse.Namespace, template: str | None, name: str, document: Document) -> None:
    write(name, _page(values, template, document))
    _warn(name, document)
    if values.show and name != STDOUT:
        _show(name)


def _page(values: argparse.Namespace, template: str | None, document: Document) -> str:
    from bokeh.core.templates import FILE
    from bokeh.embed import file_html
    from bokeh.resources import Resources
    from bokeh.settings import settings
    from jinja2 import TemplateError

    from ..panel_seams import panel_file

    if not document.roots:
        raise AppError("the app's document is empty, so there is nothing to show")
    chosen: Any = template if template is not None else document.template
    chosen = None if chosen is FILE else chosen
    mode = settings.resources(values.resources, default="cdn")
    try:
        panels = panel_file(document, mode, values.title, chosen)
        return panels or file_html(
            document, resources=Resources(mode=mode), title=values.title, template=chosen or FILE,
            template_variables=document.template_variables, suppress_callback_warning=True)
    except TemplateError as error:
        raise ConfigError(f"{values.template or 'the template of the app'}: {error}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--template: {file} can't be read: {error.strerror}") from error


def _warn(name: str, document: Document) -> None:
    from ..seams import python_callbacks

    every = list(dict.fromkeys(python_callbacks(document)))
    lines = [line for line in every if not line.endswith("-> Panel")]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]
    if any(line.endswith("-> Panel") and not line.startswith(_ALWAYS_THERE) for line in every):
        lines.append("what Panel does when its parts change")
    if lines:
        print(f"{name}: these Python callbacks do not run in it, as there is no server behind it:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in lines), file=sys.stderr)


def _show(name: str) -> None:
    from bokeh.util.browser import view

    view(Path(name).absolute().as_uri(), new="tab")
