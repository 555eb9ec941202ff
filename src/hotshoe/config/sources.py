"""Where values come from: what is given explicitly, the environment, a file, each checked under its own name.

The environment is handed in and the file is only read, so that nothing here has a side effect.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .setting import Setting

FILE_NAME = "hotshoe.toml"
"""The file that is read from the current directory when none is named."""


def gather(table: Iterable[Setting], explicit: Mapping[str, Any], environ: Mapping[str, str], file: Path | None,
           *, flags: bool = False) -> dict[str, Any]:
    """The values that are given, by name; what none is given for is left out. Raises ``ConfigError``."""
    table = tuple(table)
    values = from_file(table, file) if file else {}
    values |= from_environment(table, environ)
    values |= from_explicit(table, explicit, flags=flags)
    values |= from_environment([row for row in table if row.declaration.bokeh_wins], environ, only_bokeh=True)
    return values


def from_explicit(table: Iterable[Setting], given: Mapping[str, Any], *, flags: bool) -> dict[str, Any]:
    """What a program passes by name, or the command line by flag."""
    rows = {row.name: row for row in table}
    values = {}
    for name, value in given.items():
        if name not in rows:
            raise ConfigError(f"There is no setting {name}{_suggestion(name, rows)}")
        label = rows[name].flag if flags else name
        values[name] = _checked(rows[name], value, label)
    return values


def from_environment(table: Iterable[Setting], environ: Mapping[str, str], *,
                     only_bokeh: bool = False) -> dict[str, Any]:
    """What environment variables say; one that is empty says nothing."""
    values = {}
    for row in table:
        names = row.environment[1:] if only_bokeh else row.environment
        name = next((name for name in names if environ.get(name)), None)
        if name is not None:
            text = environ[name]
            if name == row.declaration.bokeh_environment and row.declaration.from_bokeh is not None:
                text = row.declaration.from_bokeh(text)
            values[row.name] = _parsed(row, text, f"the environment's {name}")
    return values


def from_file(table: Iterable[Setting], file: Path) -> dict[str, Any]:
    """What a TOML file says. ``_`` and ``-`` are the same in its keys."""
    rows = {row.key: row for row in table}
    values = {}
    for written, value in _read(file).items():
        key = written.replace("_", "-")
        if key not in rows:
            raise ConfigError(f"{file}: there is no setting {written}{_suggestion(key, rows)}")
        values[rows[key].name] = _checked(rows[key], value, f"{file}: {written}")
    return values


def validate(table: Iterable[Setting], values: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` for the first value that its setting can't have."""
    for row in table:
        _checked(row, values[row.name], row.name)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: is no TOML: {error}") from error


def _parsed(row: Setting, text: str, label: str) -> Any:
    try:
        value = row.parse(text)
    except ValueError as error:
        raise ConfigError(f"{label}: {error}") from None
    return _checked(row, value, label)


def _checked(row: Setting, value: object, label: str) -> Any:
    try:
        value = row.read(value)
    except ValueError as error:
        raise ConfigError(f"{label}: {error}") from None
    if problem := row.problem(value):
        raise ConfigError(f"{label}: {problem}")
    return value


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
