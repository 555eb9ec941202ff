"""The command line as settings: an option for each setting of the table; the environment, and the settings files.

A parsed command line has values for those options only that were given.
"""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from ..base.errors import ConfigError
from ..config import (
    FILE_NAME,
    TABLE,
    BokehFile,
    Group,
    Setting,
    SettingSources,
    did_you_mean,
    read_bokeh_file,
    read_switch,
)
from .printing import printable

_HELP_COLUMN = 30
_MOST_COLUMNS = 110
_LIKENESS = 0.75
"""Between an unknown option and a known one: --prot is like --port, but --autoreload is not like --threads."""
_NO_CHOICE = re.compile(r"invalid choice: '([^']*)'")
_UNKNOWN = re.compile(r"unrecognized arguments: (--[\w-]+)")
_ARE_LISTED = "every user of this machine can list a command's options"
_log = logging.getLogger("hotshoe")


class Parser(argparse.ArgumentParser):
    """The parser of one command. Each of its errors is one line."""

    def __init__(self, command: str, usage: str, description: str, epilog: str = "") -> None:
        prog = f"hotshoe {command}"
        super().__init__(prog=prog, usage=f"{prog} {usage}".rstrip(), description=description, epilog=epilog,
                         formatter_class=_Formatter, add_help=False)
        self.add_argument("-h", "--help", action="help", help="Show this help")
        self.advice: dict[str, str] = {}
        """Hints for options that do not exist, by option."""
        self.families: dict[str, str] = {}
        """Hints for all options that begin so."""
        self.alone: dict[str, str] = {}
        """Options that may stand alone, so that the next word is no value of theirs, and what they mean then."""

    @property
    def actions(self) -> tuple[argparse.Action, ...]:
        """All options and arguments, in the order of the help."""
        return tuple(self._actions)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse as usual. Options with advice are refused first, also those that abbreviate one of ours (--server)."""
        given = list(sys.argv[1:] if args is None else args)
        words = list(takewhile(lambda word: word != "--", given))
        if hints := {option: hint for word in words if (option := _option(word)) and (hint := self._advice(option))}:
            several = len(hints) > 1
            told = "".join(f"; {option}: {hint}" if several else f"; {hint}" for option, hint in hints.items())
            self._end(f"unrecognized arguments: {' '.join(hints)}", told)
        words = [f"{word}={self.alone[word]}" if word in self.alone else word for word in words]
        return super().parse_known_args([*words, *given[len(words):]], namespace)

    def _advice(self, option: str) -> str | None:
        if option in self._option_string_actions:
            return None
        short = None if option.startswith("--") else self.advice.get(option[:2])
        family = next((hint for start, hint in self.families.items() if option.startswith(start)), None)
        return self.advice.get(option) or short or family

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        self._end(message, self._hint(message))

    def _end(self, message: str, hint: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {printable(message)}{printable(hint)} (see {self.prog} --help)\n")

    def _hint(self, message: str) -> str:
        known: list[str] = []
        if match := _UNKNOWN.match(message):
            known = [option for action in self._actions for option in action.option_strings]
        elif match := _NO_CHOICE.search(message):
            known = [str(choice) for action in self._actions for choice in action.choices or ()]
        return did_you_mean(match[1], known, _LIKENESS) if match else ""


class _Formatter(argparse.HelpFormatter):
    """Breaks no line inside the name of an option, and marks options that can be given several times."""

    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS) - 2
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = partial(textwrap.fill, width=width, initial_indent=indent, subsequent_indent=indent,
                       break_on_hyphens=False)
        return "\n".join(map(fill, text.splitlines()))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_repeatable = isinstance(action, argparse._AppendAction) and action.nargs in (None, "?")  # noqa: SLF001
        return f"{action.help} (repeatable)" if is_repeatable else action.help

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _option(word: str) -> str | None:
    """The name of the option in a word of the command line."""
    return word.partition("=")[0] if len(word) > 1 and word[0] == "-" else None


def add_settings(parser: Parser, table: Iterable[Setting]) -> None:
    """Add an option for each setting, under its group's title, and ``--config``."""
    groups = {group: parser.add_argument_group(group.value.capitalize()) for group in Group}
    for row in table:
        if row.has_option:
            _add(groups[row.doc.group], row)
            if row.doc.alone is not None:
                parser.alone[row.flag] = row.doc.alone
        else:
            parser.advice[row.flag] = f"set {row.environment[-1]}, as {_ARE_LISTED}"
    groups[Group.FILES].add_argument(
        "--config", metavar="FILE", type=Path,
        help=f"TOML file with settings (default: {FILE_NAME} in the current directory, if there is one)")


def given_options(values: argparse.Namespace, table: Iterable[Setting]) -> dict[str, Any]:
    """The values that options have given, by the names of their settings."""
    return {row.name: getattr(values, row.name) for row in table if hasattr(values, row.name)}


def split_app_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """The arguments before ``--args``, and those after it, which must not be parsed."""
    if "--args" not in arguments:
        return list(arguments), None
    where = list(arguments).index("--args")
    return list(arguments[:where]), list(arguments[where + 1:])


def _add(group: argparse._ArgumentGroup, row: Setting) -> None:
    options: dict[str, Any] = {"dest": row.name, "default": argparse.SUPPRESS, "help": _help(row)}
    if row.is_switch and row.metavar is None:
        options["action"] = "store_false" if row.default else "store_true"
    elif row.is_switch:
        options |= {"action": _SwitchWithFiles, "nargs": "*", "metavar": "FILE"}
    else:
        options |= {"type": str if row.is_text else _converter(row), "metavar": row.metavar,
                    "choices": row.choices or None}
    if row.is_repeatable:
        options["action"] = "append"
        if row.doc.alone is not None:
            options |= {"nargs": "?", "const": row.doc.alone}
    elif row.is_list:
        options |= {"action": "extend", "nargs": "..." if row.metavar == "..." else "+"}
    group.add_argument(row.flag, **options)


class _SwitchWithFiles(argparse.Action):
    """Switches the setting on, and keeps the names that follow as ``SETTING_files``."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option: str | None = None) -> None:
        setattr(namespace, self.dest, True)
        setattr(namespace, f"{self.dest}_files", [*getattr(namespace, f"{self.dest}_files", ()), *values])


def _help(row: Setting) -> str:
    """The first sentence; ``hotshoe settings NAME`` shows the others."""
    text = row.doc.help.partition(". ")[0].removesuffix(".")
    if row.is_switch and row.default:  # its option turns it off
        text = f"Do not {text[0].lower()}{text[1:]}"
    notes = [", ".join(row.choices)] if row.choices else []
    if not row.is_switch and row.default not in (None, "", ()):
        notes.append(" ".join(filter(None, (f"default: {row.default}", row.doc.unit))))
    if row.doc.secret:
        notes.append(f"safer as {row.environment[-1]}, as {_ARE_LISTED}")
    return (f"{text} ({'; '.join(notes)})" if notes else text).replace("%", "%%")


def _converter(row: Setting) -> Callable[[str], Any]:
    """A wrong number or choice is an error of usage. Texts are checked with the other sources."""
    def convert(text: str) -> Any:
        try:
            return row.convert(text, text=True)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return convert


def sources_of(values: argparse.Namespace, environ: Mapping[str, str], **explicit: Any) -> SettingSources:
    """The options with ``explicit`` added, the environment, and the settings files. Raises ``ConfigError``."""
    options = {**given_options(values, TABLE), **explicit}
    users = user_file()
    bokeh_user = None if users is None else read_bokeh_file(users)
    some = SettingSources(options, environ, values.config or local_file(), bokeh_user=bokeh_user)
    named = some.gather().get("use_config")
    return some if named is None else replace(some, bokeh=read_bokeh_file(Path(named.value)))


def configure_bokeh(file: BokehFile | None = None) -> None:
    """Have bokeh read its settings file, check its settings, and correct its switches. Raises ``ConfigError``."""
    from bokeh.settings import settings

    if file is not None:
        _log.info("Using override config file: %s", file.path)
        settings.load_config(str(file.path))
        _warn_of_unknown(file)
    _check_bokeh_settings()
    # bokeh reads any text as yes, also "no".
    for switch in (settings.pretty, settings.serialize_include_defaults):
        if isinstance(value := switch(), str):
            switch.set_value(bool(value) and read_switch(value, switch.env_var or switch.name))


def _check_bokeh_settings() -> None:
    """Check the settings that are bokeh's alone: a wrong one would make each page fail."""
    for setting in bokeh_settings():
        try:
            setting()
        except ValueError as error:
            raise ConfigError(f"bokeh's {setting.env_var}: {error}") from error
    try:
        import bokeh.resources  # noqa: F401  reads the last one when it is imported
    except ValueError as error:
        raise ConfigError(f"bokeh's BOKEH_LOG_LEVEL: {error}") from error


def bokeh_settings() -> list[Any]:
    """The settings that are bokeh's alone."""
    from bokeh.util.settings import get_all_settings

    ours = {row.doc.bokeh for row in TABLE}
    return [setting for setting in get_all_settings().values() if setting.env_var not in ours]


def _warn_of_unknown(file: BokehFile) -> None:
    from bokeh.util.settings import get_all_settings

    known = [setting.name for setting in get_all_settings().values()]
    for key in file.values:
        if key not in known:
            _log.warning("%s: bokeh has no setting %s%s", file.path, key, did_you_mean(str(key), known))


def local_file() -> Path | None:
    """The ``hotshoe.toml`` of the current directory."""
    file = Path(FILE_NAME)
    return file if file.exists() else None


def user_file() -> Path | None:
    """The user's own settings file of bokeh."""
    try:
        file = Path.home() / ".bokeh" / "bokeh.yaml"
    except RuntimeError:  # a user without a home
        return None
    return file if file.is_file() else None
