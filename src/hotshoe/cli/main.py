"""The ``hotshoe`` command: picks the subcommand, and ends a user's mistake with one line and exit status 1.

The environment is read here and handed down; nothing else reads it.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import __version__
from ..errors import ConfigError, UserError
from .commands import COMMANDS, Chapter, Module

_EXAMPLES = """\
Examples
  hotshoe serve app.py --show          serve an app and open it in the browser
  hotshoe serve a.py b.ipynb c/ --dev  several, which reload when edited
  hotshoe serve --help                 every option, with its default
  hotshoe settings                     what is set, and where that comes from

An app that runs under `bokeh serve` runs here unchanged, with the same flags,
environment variables and URLs."""

_OF_BOKEH = ("build", "init")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (``sys.argv[1:]``) name. Returns the exit status."""
    try:
        status = _main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _main(arguments: Sequence[str] | None) -> int:
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
        print(_unknown(first), file=sys.stderr)
        return 2
    with warnings.catch_warnings():
        # When bokeh is imported it takes BOKEH_SIGN_SESSIONS=no for a yes. Where a key is needed, we say so ourselves.
        warnings.filterwarnings("ignore", "BOKEH_SECRET_KEY must be set", UserWarning)
        return _run(first, rest)


def _run(name: str, arguments: Sequence[str]) -> int:
    try:
        return _module(name).run(arguments, os.environ)
    except UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _module(name: str) -> Module:
    try:
        return COMMANDS[name].module
    except ValueError as error:  # bokeh asks some variables when it is imported
        meant = [key for key, value in os.environ.items() if key.startswith("BOKEH_") and f"'{value}'" in str(error)]
        raise ConfigError(f"bokeh's {' or '.join(meant) or 'variables'}: {error}") from error


def _help() -> Iterator[str]:
    yield f"hotshoe {__version__}: the production server for Bokeh and Panel apps"
    yield "\nusage: hotshoe COMMAND [options]\n"
    width = max(map(len, COMMANDS))
    for chapter in Chapter:
        commands = [command for command in COMMANDS.values() if command.chapter is chapter]
        if commands:
            yield chapter.value
            yield from (f"  {command.name:{width}}  {command.summary}" for command in commands)
            yield ""
    yield _EXAMPLES


def _versions() -> str:
    import bokeh

    return f"hotshoe {__version__} (bokeh {bokeh.__version__}, Python {sys.version.partition(' ')[0]})"


def _unknown(word: str) -> str:
    if word.endswith((".py", ".ipynb")) or Path(word).is_dir():
        hint = f"did you mean hotshoe serve {word}?"
    elif word in _OF_BOKEH:
        hint = f"for extensions, bokeh {word} stays what it is"
    elif close := difflib.get_close_matches(word, COMMANDS, n=1):
        hint = f"did you mean hotshoe {close[0]}?"
    else:
        hint = "see hotshoe --help"
    return f"hotshoe: error: there is no command {word}; {hint}"
