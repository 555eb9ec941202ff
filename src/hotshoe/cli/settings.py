"""``hotshoe settings``: every setting, its value and where that comes from; those of bokeh itself, too."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..config import FILE_NAME, TABLE, Given, Group, Kind, Setting, Settings
from ..errors import ConfigError
from .loading import Sources, tell_bokeh
from .options import Parser, add_settings

_COLUMNS = 80
_HIDDEN = "(hidden)"
_NONE = "(none)"
_ROWS = tuple(row for row in TABLE if row.declaration.group is Group.FILES)


class Line(NamedTuple):
    """A row of what is printed."""

    key: str
    value: str
    origin: str


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the table, or what there is to know of some settings. Raises ``ConfigError``."""
    values = make_parser().parse_intermixed_args(arguments)
    sources = Sources.of(values, environ)
    found = sources.gather()
    settings = sources.settings()
    tell_bokeh(sources.bokeh)
    if values.names:
        print("\n\n".join(_explained(row, settings, found) for row in _named(values.names)))
    else:
        print("\n".join(_table(settings, found, only_given=values.changed)))
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe settings``."""
    parser = Parser(
        prog="hotshoe settings",
        usage="hotshoe settings [NAME ...] [options]",
        description="Show the value of each setting as hotshoe serve would find it here, and where that comes from. "
                    "With names, show what these settings do and what they can be.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="Setting, flag or environment variable")
    parser.add_argument("--changed", action="store_true", help="Only those that are not left at their default")
    parser.add_argument("-v", "--verbose", action="store_true", help="Does nothing: bokeh settings takes it")
    add_settings(parser, _ROWS)
    return parser


def _table(settings: Settings, found: Mapping[str, Given], *, only_given: bool) -> Iterator[str]:
    lines = {group.value.capitalize(): _lines(group, settings, found) for group in Group}
    lines["Bokeh's own"] = list(_of_bokeh())
    if only_given:
        lines = {title: [line for line in some if line.origin != "default"] for title, some in lines.items()}
    every = [line for some in lines.values() for line in some]
    if not every:
        yield "Nothing is set: all settings have their default."
        return
    width = max(len(line.key) for line in every)
    for title, some in lines.items():
        if some:
            yield f"\n{title}" if title != next(title for title in lines if lines[title]) else title
            yield from (_in_columns(line, width) for line in some)


def _in_columns(line: Line, width: int) -> str:
    origin = "" if line.origin == "default" else f"  <- {line.origin}"
    return f"  {line.key:{width}}  {line.value}{origin}"


def _lines(group: Group, settings: Settings, found: Mapping[str, Given]) -> list[Line]:
    return [Line(row.key, _value(row, settings), _origin(row, found)) for row in TABLE
            if row.declaration.group is group]


def _value(row: Setting, settings: Settings) -> str:
    value = getattr(settings, row.name)
    if value in (None, "", ()):
        return _NONE
    if row.declaration.secret:
        return _HIDDEN
    return _in_words(row.kind, value)


def _in_words(kind: Kind, value: Any) -> str:
    if kind is Kind.SWITCH:
        return "yes" if value else "no"
    return ", ".join(value) if kind is Kind.TEXTS else str(value)


def _origin(row: Setting, found: Mapping[str, Given]) -> str:
    return found[row.name].where.removeprefix("the environment's ") if row.name in found else "default"


def _of_bokeh() -> Iterator[Line]:
    """Those that are bokeh's alone; the others stand among ours."""
    from bokeh.util.settings import get_all_settings

    ours = {row.declaration.bokeh_environment for row in TABLE}
    for setting in get_all_settings().values():
        if setting.env_var in ours:
            continue
        value, where = setting(), setting.provenance_display
        by_default = where in ("Global default", "Explicit default")
        origin = {"Environment variable": setting.env_var or ""}.get(where, where[:1].lower() + where[1:])
        yield Line(setting.env_var or setting.name, _NONE if value is None else str(value),
                   "default" if by_default else origin)


def _named(names: Sequence[str]) -> list[Setting]:
    rows = {word: row for row in TABLE for word in (row.flag, row.key, row.name, *row.environment)}
    found = []
    for name in names:
        if name not in rows:
            within = [row.key for row in TABLE if name.strip("-").replace("_", "-").lower() in row.key]
            close = within or difflib.get_close_matches(name, [row.key for row in TABLE], n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else "; hotshoe settings lists all"
            raise ConfigError(f"There is no setting {name}{hint}")
        found.append(rows[name])
    return found


def _explained(row: Setting, settings: Settings, found: Mapping[str, Given]) -> str:
    metavar = f" {row.declaration.metavar}" if row.declaration.metavar else ""
    default = getattr(Settings(), row.name)
    facts = {
        "value": f"{_value(row, settings)} ({_origin(row, found)})",
        "default": _NONE if default in (None, "", ()) else _in_words(row.kind, default),
        "allowed": row.allowed,
        "flag": row.flag + metavar if row.has_option else "none, as it is a secret",
        "variables": ", ".join(row.environment),
        "file": f"{row.key} in {FILE_NAME}",
        "argument": f"{row.name}= of hotshoe.Server and hotshoe.asgi",
    }
    about = textwrap.fill(row.declaration.help, _COLUMNS - 2, initial_indent="  ", subsequent_indent="  ",
                          break_on_hyphens=False)
    return "\n".join([row.key, about, *(f"    {name:9}  {text}" for name, text in facts.items())])
