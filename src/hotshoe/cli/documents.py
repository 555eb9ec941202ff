"""Documents of apps without a server, and the files that are made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import AppError, BuildError, ConfigError
from .options import Parser, split_app_arguments

if TYPE_CHECKING:
    from bokeh.document import Document

    from ..apps import App

STDOUT = "-"

Use = Callable[[str, "Document"], None]
"""Gets the name of the file to write, and the document."""


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


def use_each(files: Sequence[str], argv: Sequence[str], outputs: Sequence[str], kind: str, use: Use) -> None:
    """Build each app's document, as for its first visitor, and hand it to ``use``. Raises ``UserError``."""
    from ..apps import load_all

    apps = load_all(list(files), argv=argv)
    if len(outputs) > len(apps):
        raise ConfigError(f"--output is given {len(outputs)} times for {len(apps)} app{'s' * (len(apps) > 1)}")
    names = [*outputs, *(f"{url.strip('/') or 'index'}.{kind}" for url in list(apps)[len(outputs):])]
    asyncio.run(_use_each(apps, {url: partial(use, name) for url, name in zip(apps, names, strict=True)}))


async def _use_each(apps: Mapping[str, App], uses: Mapping[str, Callable[[Document], None]]) -> None:
    """In sessions, which is where apps expect to be; they have no visitor, and what asks for none is empty."""
    from ..apps import Request
    from ..hosts.host import OpenRequest
    from ..hosts.inline import InlineHost
    from ..tokens import new_session_id

    host = InlineHost(apps, Settings(threads=0))
    await host.start()
    try:
        for url, use in uses.items():
            await host.open(OpenRequest(url, Request(path=url, host="localhost"), new_session_id()))
            await host.update_sessions(url, use)
    except BuildError as error:
        raise AppError(f"the app {error.app} failed; what it raised stands above") from error
    finally:
        await host.stop()


def write(name: str, text: str) -> None:
    """Write a file, or to the standard output. Raises ``ConfigError``."""
    if name == STDOUT:
        print(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output: {name} can't be written: {error.strerror}") from error
