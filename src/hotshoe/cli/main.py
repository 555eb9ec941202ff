"""The ``hotshoe`` command: picks the subcommand, and ends a user's mistake with one line and exit status 1.

The environment is read here and handed down; nothing else reads it.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .. import __version__
from ..errors import UserError
from . import serve

_HELP = f"""\
hotshoe {__version__} - the production server for Bokeh and Panel apps

  hotshoe serve app.py           serve a script, a directory with a main.py, a notebook, or several of them
  hotshoe serve --help           everything that it can do
  hotshoe --version              which version this is

An app that runs under `bokeh serve` runs here unchanged, with the same flags and URLs."""

Command = Callable[[Sequence[str], Mapping[str, str]], int]
COMMANDS: Mapping[str, Command] = {"serve": serve.run}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (``sys.argv[1:]``) name. Returns the exit status."""
    first, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if first in ("-h", "--help", "help"):
        print(_HELP)
        return 0
    if first in ("-V", "--version"):
        print(_versions())
        return 0
    if first not in COMMANDS:
        print(_unknown(first), file=sys.stderr)
        return 2
    try:
        return COMMANDS[first](rest, os.environ)
    except UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _versions() -> str:
    import bokeh

    return f"hotshoe {__version__} (bokeh {bokeh.__version__}, Python {sys.version.partition(' ')[0]})"


def _unknown(word: str) -> str:
    if word.endswith((".py", ".ipynb")) or Path(word).is_dir():
        hint = f"did you mean hotshoe serve {word}?"
    elif close := difflib.get_close_matches(word, COMMANDS, n=1):
        hint = f"did you mean hotshoe {close[0]}?"
    else:
        hint = "see hotshoe --help"
    return f"hotshoe: error: there is no command {word}; {hint}"
