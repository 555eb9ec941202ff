"""Options made from the table of settings; only those that are given end up among the values."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ..config import FILE_NAME, Group, Kind, Setting

_HELP_COLUMN = 30
_MOST_COLUMNS = 110
_LIKENESS = 0.75
"""Of a word with the one that was meant: --prot is like --port, --autoreload not like --threads."""
_NO_CHOICE = re.compile(r"invalid choice: '([^']*)'")
_UNKNOWN = re.compile(r"unrecognized arguments: (--[\w-]+)")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose options can stand between and after the files."""

    def __init__(self, prog: str, usage: str, description: str, epilog: str = "") -> None:
        super().__init__(prog=prog, usage=usage, description=description, epilog=epilog, formatter_class=_Formatter,
                         add_help=False)
        self.add_argument("-h", "--help", action="help", help="Show this help")
        self.advice: dict[str, str] = {}
        """What to do instead of giving an option that does not exist."""

    @property
    def actions(self) -> tuple[argparse.Action, ...]:
        """All options and arguments, in the order of the help."""
        return tuple(self._actions)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        self.exit(2, f"{self.prog}: error: {message}{self._hint(message)} (see {self.prog} --help)\n")

    def _hint(self, message: str) -> str:
        known: list[str] = []
        if match := _UNKNOWN.match(message):
            known = [option for action in self._actions for option in action.option_strings]
        elif match := _NO_CHOICE.search(message):
            known = [str(choice) for action in self._actions for choice in action.choices or ()]
        if match and (advice := self.advice.get(match[1])):
            return f"; {advice}"
        close = difflib.get_close_matches(match[1], known, n=1, cutoff=_LIKENESS) if match else []
        return f"; did you mean {close[0]}?" if close else ""


class _Formatter(argparse.HelpFormatter):
    """Breaks no line inside the name of an option."""

    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS) - 2
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = partial(textwrap.fill, width=width, initial_indent=indent, subsequent_indent=indent,
                       break_on_hyphens=False)
        return "\n".join(map(fill, text.splitlines()))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def add_settings(parser: Parser, table: Iterable[Setting]) -> None:
    """An option for each setting, under its group's title, and ``--config``."""
    rows = tuple(table)
    for group in Group:
        titled = parser.add_argument_group(group.value.capitalize())
        for row in rows:
            if row.declaration.group is not group:
                continue
            if not row.has_option:
                parser.advice[row.flag] = f"everybody can list a command's options, so set {row.environment[-1]}"
            else:
                _add(titled, row)
    titled.add_argument("--config", metavar="FILE", type=Path, default=None,
                        help=f"Settings as TOML; without it, {FILE_NAME} in the current directory if there is one")


def given(values: argparse.Namespace, table: Iterable[Setting]) -> dict[str, Any]:
    """The settings, by name, for which there was an option."""
    return {row.name: getattr(values, row.name) for row in table if hasattr(values, row.name)}


def split_app_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """What stands before ``--args`` and what after it, which no parser must look at."""
    if "--args" not in arguments:
        return list(arguments), None
    where = list(arguments).index("--args")
    return list(arguments[:where]), list(arguments[where + 1:])


def _add(group: argparse._ArgumentGroup, row: Setting) -> None:
    options: dict[str, Any] = {"dest": row.name, "default": argparse.SUPPRESS, "help": _help(row)}
    match row.kind:
        case Kind.SWITCH if row.declaration.metavar is None:
            options["action"] = "store_false" if row.default else "store_true"
        case Kind.SWITCH:
            options |= {"action": _SwitchWithFiles, "nargs": "*", "metavar": "FILE"}
        case Kind.TEXTS if row.declaration.many:
            options |= {"action": "extend", "nargs": "+", "metavar": row.declaration.metavar}
        case Kind.TEXTS:
            options |= {"action": "append", "metavar": row.declaration.metavar}
        case _:
            options |= {"type": _converter(row), "metavar": row.declaration.metavar}
    group.add_argument(row.flag, **options)


class _SwitchWithFiles(argparse.Action):
    """Switches the setting on; the names that follow are kept apart, as ``SETTING_files``."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option: str | None = None) -> None:
        setattr(namespace, self.dest, True)
        setattr(namespace, f"{self.dest}_files", [*getattr(namespace, f"{self.dest}_files", ()), *values])


def _help(row: Setting) -> str:
    """The first sentence; ``hotshoe settings NAME`` shows the others."""
    text = row.declaration.help.partition(". ")[0].removesuffix(".")
    if row.declaration.choices:
        text += f": {', '.join(row.declaration.choices)}"
    if row.kind not in (Kind.SWITCH, Kind.TEXTS) and row.default not in (None, ""):
        unit = f" {row.declaration.unit}" if row.declaration.unit else ""
        text += f" (default: {row.default}{unit})"
    if row.declaration.secret:
        text += f"; safer as {row.environment[-1]}, since everybody can list a command's options"
    return text.replace("%", "%%")


def _converter(row: Setting) -> Callable[[str], Any]:
    """What is no number or no choice is an error of usage; bounds are checked with the other sources."""
    def convert(text: str) -> Any:
        try:
            value = row.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if row.declaration.choices and (problem := row.problem(value)):
            raise argparse.ArgumentTypeError(problem)
        return value
    return convert
