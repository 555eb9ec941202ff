"""Documents of apps without a server, and the files that are made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AppError, ConfigError
from .options import Parser, split_app_arguments

if TYPE_CHECKING:
    from bokeh.document import Document

STDOUT = "-"


def add_arguments(parser: Parser, kind: str) -> None:
    """What the commands that write files of ``kind`` have in common."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="app.py, app.ipynb or a directory")
    parser.add_argument("-o", "--output", metavar="FILE", action="append", default=[],
                        help=f"Where to write, for each app in turn; - is the standard output (default: APP.{kind})")
    parser.add_argument("--args", metavar="...", nargs="...",
                        help="Everything after it becomes sys.argv[1:] of every app")


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is for the command, and what for the apps."""
    own, for_apps = split_app_arguments(arguments)
    return own, for_apps or []


def write_each(files: Sequence[str], argv: Sequence[str], outputs: Sequence[str], kind: str,
               text_of: Callable[[Document], str]) -> Iterator[tuple[str, Document]]:
    """Build each app's document and write it as text; gives the files' names. Raises ``UserError``."""
    from ..apps import load_all

    apps = load_all(list(files), argv=argv)
    if len(outputs) > len(apps):
        raise ConfigError(f"--output is given {len(outputs)} times for {len(apps)} app{'s' * (len(apps) > 1)}")
    names = [*outputs, *(f"{url.strip('/') or 'index'}.{kind}" for url in list(apps)[len(outputs):])]
    for (url, app), name in zip(apps.items(), names, strict=True):
        document = _built(url, app.build)
        _write(name, text_of(document))
        yield name, document


def _built(url: str, build: Callable[[Document], None]) -> Document:
    from .. import seams
    from ..apps import user_traceback
    from ..apps.tracebacks import in_one_line

    document = seams.new_document()
    try:
        with seams.document_context(document):
            build(document)
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return document
        print(user_traceback(error).rstrip(), file=sys.stderr)
        raise AppError(f"the app {url} failed: {in_one_line(error)}") from error
    return document


def _write(name: str, text: str) -> None:
    if name == STDOUT:
        print(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output: {name} can't be written: {error.strerror}") from error
