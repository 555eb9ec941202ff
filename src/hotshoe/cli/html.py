"""``hotshoe html``: each app as a page that needs no server. ``hotshoe json`` builds its documents here too."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import AppError, BuildError, ConfigError
from ..config import Settings
from .arguments import Parser, configure_bokeh, split_app_arguments

if TYPE_CHECKING:
    import argparse

    from bokeh.document import Document

    from ..hosts import Host

_MODES = ("cdn", "inline", "relative", "absolute", "server")
_SHOWN = 10
_ALWAYS_THERE = ("document", "BrowserInfo", "Location")
"""Objects to which Panel listens in every document, also if it is only imported."""
STDOUT = "-"
Use = Callable[[str, "Document"], None]
"""Called with the name of the file to write, and the document."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Write a page for each app. Raises ``UserError``."""
    own, argv = split_app_arguments(arguments)
    values = make_parser().parse_intermixed_args(own)
    configure_bokeh()
    template = None if values.template is None else _text(values.template)
    use_each(values.files, argv, values.output, "html", partial(_use, values, template))
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe html``."""
    parser = Parser(
        "html", "FILE [FILE ...] [options] [--args ...]",
        description="Run each app once, without a server, and write a page that shows its document. JavaScript "
                    "callbacks work in the page. Python callbacks do not work; the command lists them.")
    add_arguments(parser, "html")
    parser.add_argument("--resources", metavar="MODE", choices=_MODES,
                        help="Source of BokehJS: cdn (cdn.bokeh.org), inline (in the page), relative or absolute (a "
                             "folder), or server (default: BOKEH_RESOURCES, or cdn)")
    parser.add_argument("--title", metavar="TEXT", help="Title of the page (default: the document's)")
    parser.add_argument("--template", metavar="FILE", type=Path,
                        help="Jinja2 template, as for bokeh.embed.file_html (default: the app's own)")
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

    from ..seams.panel import panel_file

    if not document.roots:
        raise AppError("the app's document is empty: use curdoc().add_root() or .servable()")
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
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"--template: {file} can't be read: {reason}") from error


def _warn(name: str, document: Document) -> None:
    from ..seams import python_callbacks

    every = list(dict.fromkeys(python_callbacks(document)))
    lines = [line for line in every if not line.endswith("-> Panel")]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]
    if any(line.endswith("-> Panel") and not line.startswith(_ALWAYS_THERE) for line in every):
        lines.append("Panel's own, when its parts change")
    if lines:
        print(f"{name}: without a server, these Python callbacks do not run:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in lines), file=sys.stderr)


def _show(name: str) -> None:
    from bokeh.util.browser import view

    view(Path(name).absolute().as_uri(), new="tab")


def add_arguments(parser: Parser, kind: str) -> None:
    """Add the arguments that ``hotshoe html`` and ``hotshoe json`` share."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="app.py, app.ipynb or a directory")
    parser.add_argument("-o", "--output", metavar="FILE", action="append", default=[],
                        help=f"File to write, once for each app; - is standard output (default: APP.{kind})")
    parser.add_argument("--args", metavar="...", nargs="...",
                        help="All arguments after this option become sys.argv[1:] of every app")


def use_each(files: Sequence[str], argv: Sequence[str] | None, outputs: Sequence[str], kind: str,
             use: Use) -> None:
    """Build each app's document, as for a first visitor, and call ``use`` with it. Raises ``UserError``."""
    from ..hosts.factory import make_host

    host = make_host(list(files), Settings(threads=0, args=tuple(argv or ())), is_export=True)
    urls = list(host.apps)
    if len(outputs) > len(urls):
        number = f"{len(urls)} app{'s' * (len(urls) > 1)}"
        raise ConfigError(f"--output is given {len(outputs)} times for {number}; give it once for each app")
    if (own := next((name for name in outputs if name != STDOUT and _is_any_of(name, files)), None)) is not None:
        raise ConfigError(f"--output: {own} is the app itself; give another name")
    names = [*outputs, *(f"{url.strip('/') or 'index'}.{kind}" for url in urls[len(outputs):])]
    asyncio.run(_use_each(host, {url: partial(use, name) for url, name in zip(urls, names, strict=True)}))


def _is_any_of(name: str, files: Sequence[str]) -> bool:
    return Path(name).exists() and any(Path(name).samefile(file) for file in files)


async def _use_each(host: Host, uses: Mapping[str, Callable[[Document], None]]) -> None:
    """Build the documents in sessions, as apps expect. There is no visitor, so the request is empty."""
    from ..hosts.host import OpenRequest
    from ..http.requests import Request
    from ..tokens import new_session_id

    await host.start()
    try:
        for url, use in uses.items():
            await host.open(OpenRequest(url, Request(path=url, host="localhost"), new_session_id()))
            await host.update(url, partial(_apply, use))
    except BuildError as error:
        raise AppError(f"the app {error.app} failed; its traceback is above") from error
    finally:
        await host.stop()


def _apply(use: Callable[[Document], None], document: Document) -> None:
    from bokeh.core.serialization import SerializationError

    from ..sessions.unsendable import of_document

    try:
        use(document)
    except (SerializationError, RecursionError) as error:
        raise AppError(str(of_document(error, document))) from error


def write(name: str, text: str) -> None:
    """Write a file, or to the standard output. Raises ``ConfigError``."""
    text = text.encode(errors="replace").decode()  # a title may have lone surrogates
    if name == STDOUT:
        print(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"--output: {name} can't be written: {reason}") from error
