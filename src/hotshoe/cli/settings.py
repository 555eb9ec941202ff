"""``hotshoe settings``: every setting of hotshoe and of bokeh, its value and the source of that."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..base.errors import ConfigError
from ..config import FILE_NAME, TABLE, Given, Group, Setting, Settings
from .arguments import Parser, add_settings, bokeh_settings, configure_bokeh, sources_of

_COLUMNS = 80
_HIDDEN = "(hidden)"
_NONE = "(none)"
_ROWS = tuple(row for row in TABLE if row.doc.group is Group.FILES)


class SettingLine(NamedTuple):
    """A line of the table."""

    key: str
    value: str
    origin: str

    def in_columns(self, width: int) -> str:
        """The line, with ``width`` characters for its key."""
        origin = "" if self.origin == "default" else f"  <- {self.origin}"
        return f"  {self.key:{width}}  {self.value}{origin}"


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the table, or explain the named settings. Raises ``ConfigError``."""
    values = make_parser().parse_intermixed_args(arguments)
    sources = sources_of(values, environ)
    found = sources.gather()
    settings = sources.settings()
    configure_bokeh(sources.bokeh)
    if values.names:
        print("\n\n".join(_explanation(row, settings, found) for row in _named(values.names)))
    else:
        table = "\n".join(_table(settings, found, only_given=values.changed)).rstrip("\n")
        print(table or "Nothing is set: all settings have their default.")
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe settings``."""
    parser = Parser(
        "settings", "[NAME ...] [options]",
        description="Show the value of each setting that hotshoe serve would use here, and its source. With names, "
                    "explain these settings: purpose, allowed values, default.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="Setting, flag or environment variable")
    parser.add_argument("--changed", action="store_true", help="Show only settings that are set somewhere")
    parser.add_argument("-v", "--verbose", action="store_true", help="Ignored; it is an option of bokeh settings")
    add_settings(parser, _ROWS)
    return parser


def _table(settings: Settings, found: Mapping[str, Given], *, only_given: bool) -> Iterator[str]:
    chapters = {group.value.capitalize(): _lines(group, settings, found) for group in Group}
    chapters["Bokeh's own"] = list(_of_bokeh())
    if only_given:
        chapters = {title: [line for line in lines if line.origin != "default"] for title, lines in chapters.items()}
    width = max((len(line.key) for lines in chapters.values() for line in lines), default=0)
    for title, lines in chapters.items():
        if lines:
            yield "\n".join([title, *(line.in_columns(width) for line in lines), ""])


def _lines(group: Group, settings: Settings, found: Mapping[str, Given]) -> list[SettingLine]:
    return [SettingLine(row.key, _value(row, settings), _origin(row, found)) for row in TABLE
            if row.doc.group is group]


def _value(row: Setting, settings: Settings) -> str:
    value = getattr(settings, row.name)
    return _HIDDEN if row.doc.secret and value else _in_words(value)


def _in_words(value: Any) -> str:
    match value:
        case None | "" | ():
            return _NONE
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(value)
        case _:
            return str(value)


def _origin(row: Setting, found: Mapping[str, Given]) -> str:
    return found[row.name].where.removeprefix("environment variable ") if row.name in found else "default"


def _of_bokeh() -> Iterator[SettingLine]:
    for setting in bokeh_settings():
        value, where = setting(), setting.provenance_display
        by_default = where in ("Global default", "Explicit default")
        origin = {"Environment variable": setting.env_var or ""}.get(where, where[:1].lower() + where[1:])
        yield SettingLine(setting.env_var or setting.name, _NONE if value is None else str(value),
                   "default" if by_default else origin)


def _named(names: Sequence[str]) -> list[Setting]:
    rows = {word: row for row in TABLE for word in (row.flag, row.key, row.name, *row.environment)}
    found = []
    for name in names:
        if name not in rows:
            within = [row.key for row in TABLE if name.strip("-").replace("_", "-").lower() in row.key]
            close = within or difflib.get_close_matches(name, [row.key for row in TABLE], n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else "; hotshoe settings lists all"
            raise ConfigError(f"there is no setting {name}{hint}")
        found.append(rows[name])
    return found


def _explanation(row: Setting, settings: Settings, found: Mapping[str, Given]) -> str:
    facts = {
        "value": f"{_value(row, settings)} ({_origin(row, found)})",
        "default": _in_words(row.default),
        "allowed": row.allowed,
        "flag": row.usage + " (repeatable)" * row.is_repeatable if row.has_option else "none, because it is a secret",
        "variables": ", ".join(row.environment),
        "file": f"{row.key} in {FILE_NAME}",
        "argument": f"{row.name}= of hotshoe.Server and hotshoe.asgi",
    }
    about = textwrap.fill(row.doc.help, _COLUMNS - 2, initial_indent="  ", subsequent_indent="  ",
                          break_on_hyphens=False)
    return "\n".join([row.key, about, *(f"    {name:9}  {text}" for name, text in facts.items())])
