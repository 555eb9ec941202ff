"""Options made from the table of settings; only those that are given end up among the values."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..config import FILE_NAME, Group, Kind, Setting

_HELP_COLUMN = 34


class Parser(argparse.ArgumentParser):
    """A parser whose errors are two lines, and whose options can stand between and after the files."""

    def __init__(self, prog: str, usage: str, description: str, epilog: str) -> None:
        super().__init__(prog=prog, usage=usage, description=description, epilog=epilog, formatter_class=_formatter)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=_HELP_COLUMN)


def add_settings(parser: argparse.ArgumentParser, table: Iterable[Setting]) -> None:
    """An option for each setting, under its group's title, and ``--config``."""
    rows = tuple(row for row in table if not row.declaration.secret)
    for group in Group:
        titled = parser.add_argument_group(group.value)
        for row in rows:
            if row.declaration.group is group:
                _add(titled, row)
    titled.add_argument("--config", metavar="FILE", type=Path, default=None,
                        help=f"Settings as TOML; without it, {FILE_NAME} in the current directory if there is one.")


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
    text = row.declaration.help
    if row.declaration.choices:
        text += f" One of {', '.join(row.declaration.choices)}."
    if row.kind not in (Kind.SWITCH, Kind.TEXTS) and row.default not in (None, ""):
        unit = f" {row.declaration.unit}" if row.declaration.unit else ""
        text += f" (default: {row.default}{unit})"
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
