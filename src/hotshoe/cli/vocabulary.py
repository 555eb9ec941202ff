"""The words of the command line, as shells complete them: taken from the parsers, so that none is forgotten."""

from __future__ import annotations

import argparse

from ..config import TABLE
from .commands import COMMANDS
from .shells import FILES, Option, Words

_FILES = {"FILE", "PATH"}


def vocabulary() -> list[Words]:
    """All commands, and ``help``."""
    commands = tuple(COMMANDS)
    found = [_words(name) for name in commands]
    return [*found, Words("help", "Show what a command can do", (), commands)]


def _words(name: str) -> Words:
    command = COMMANDS[name]
    actions = command.module.make_parser().actions
    options = [_option(action) for action in actions if action.option_strings]
    arguments = [_values(action) for action in actions if not action.option_strings]
    values = tuple(row.key for row in TABLE) if name == "settings" else next(filter(None, arguments), ())
    return Words(name, command.summary, tuple(options), values)


def _option(action: argparse.Action) -> Option:
    help_text = (action.help or "").partition(" (default")[0].replace("%%", "%")
    return Option(tuple(action.option_strings), help_text, action.nargs != 0, _values(action))


def _values(action: argparse.Action) -> tuple[str, ...]:
    if action.choices:
        return tuple(map(str, action.choices))
    row = next((row for row in TABLE if row.flag in action.option_strings), None)
    if row is not None and row.declaration.choices:
        return row.declaration.choices
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return FILES if _FILES & set(metavar.strip("[]").replace("|", " ").split()) else ()
