"""The ``hotshoe`` command: a table of commands. A user's mistake ends a command with one line and exit status 1.

A command is declared in the table only; its module is imported when it runs. The environment is read here and passed
down; only ``base.folders`` reads it too, to find the user's folders.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from .. import __version__
from ..base.errors import UserError
from ..base.own_log import flush_log
from .arguments import Parser
from .printing import printable

_EXAMPLES = """\
Examples
  hotshoe serve app.py --show          serve an app and open it in the browser
  hotshoe serve a.py b.ipynb c/ --dev  serve several, and reload edited ones
  hotshoe serve --help                 show every option, with its default
  hotshoe settings                     show what is set, and where

An app that runs under `bokeh serve` runs here unchanged, with the same flags,
environment variables and URLs."""
_BOKEH_COMMANDS = ("build", "init")


class Module(Protocol):
    """The functions in the module of a command."""

    def run(self, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run the command. Returns the exit status; raises ``UserError`` for a mistake in the arguments."""

    def make_parser(self) -> Parser:
        """The parser of its arguments."""


CHAPTERS = {
    "Serve": {
        "serve": "Serve scripts, notebooks and directories with a main.py",
        "static": "Serve only BokehJS, for pages of other servers",
    },
    "Export": {
        "html": "Write an app as a page that needs no server",
        "json": "Write an app's document as JSON",
    },
    "Look around": {
        "settings": "Show every setting, and where its value comes from",
        "doctor": "Find problems between a browser and an app, and their fixes",
        "info": "Show versions and folders",
    },
    "Set up": {
        "deploy": "Print configurations for proxies, services, containers",
        "secret": "Make a key that signs session ids",
        "user": "Add, change and list the users of --auth basic",
        "completion": "Print completion for bash, zsh or fish",
    },
}
"""The commands of each chapter of ``--help``, with their purpose in at most 60 characters."""
COMMANDS: Mapping[str, str] = {name: summary for chapter in CHAPTERS.values() for name, summary in chapter.items()}


def module_of(command: str) -> Module:
    """``hotshoe.cli.COMMAND``."""
    return cast(Module, importlib.import_module(f".{command}", __package__))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments`` (default: ``sys.argv[1:]``). Returns the exit status."""
    output = sys.stdout  # an app may replace or close it
    try:
        status = _run(arguments)
        if not output.closed:
            output.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except UserError as error:
        print(f"ERROR: {printable(str(error))}", file=sys.stderr)
        return 1
    except ValueError as error:
        if not (names := _wrong_variables(error)):
            raise
        print(f"ERROR: environment variable {' or '.join(names)}: {error}", file=sys.stderr)
        return 1
    return status


def _run(arguments: Sequence[str] | None) -> int:
    first, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if first == "help" and rest:
        first, rest = rest[0], ["--help"]
    if first in ("-h", "--help", "help"):
        print("\n".join(_help()))
        return 0
    if first in ("-v", "-V", "--version"):
        print(_versions())
        return 0
    if first not in COMMANDS:
        print(printable(_unknown(first)), file=sys.stderr)
        return 2
    with warnings.catch_warnings():
        # On import, bokeh reads BOKEH_SIGN_SESSIONS=no as yes. If a key is needed, hotshoe has an error of its own.
        warnings.filterwarnings("ignore", "BOKEH_SECRET_KEY must be set", UserWarning)
        try:
            return module_of(first).run(rest, os.environ)
        finally:
            flush_log()  # the log comes before an error of the command


def _wrong_variables(error: ValueError) -> list[str]:
    """The environment variables that this error is about, if bokeh has raised it when it was imported."""
    text = str(error).lower()  # bokeh's message has a log level in capitals
    return [name for name, value in os.environ.items() if name.startswith("BOKEH_") and text.startswith(
        (f"cannot convert {value} to ".lower(), f"unknown log level '{value}'".lower()))]


def _help() -> Iterator[str]:
    yield f"hotshoe {__version__}: the production server for Bokeh and Panel apps"
    yield "\nusage: hotshoe COMMAND [options]\n"
    width = max(map(len, COMMANDS))
    for title, commands in CHAPTERS.items():
        yield title
        yield from (f"  {name:{width}}  {summary}" for name, summary in commands.items())
        yield ""
    yield _EXAMPLES


def _versions() -> str:
    import bokeh

    return f"hotshoe {__version__} (bokeh {bokeh.__version__}, Python {sys.version.partition(' ')[0]})"


def _unknown(word: str) -> str:
    if word in _BOKEH_COMMANDS:  # before a look at folders: many projects have a folder build
        hint = f"use bokeh {word}, which is for extensions"
    elif word.endswith((".py", ".ipynb")) or Path(word).is_dir():
        hint = f"did you mean hotshoe serve {word}?"
    elif close := difflib.get_close_matches(word, COMMANDS, n=1):
        hint = f"did you mean hotshoe {close[0]}?"
    else:
        hint = "see hotshoe --help"
    return f"hotshoe: error: there is no command {word}; {hint}"
