"""Where values come from: what is given explicitly, the environment, a file, each checked under its own name.

The environment is handed in and the file is only read, so that nothing here has a side effect.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError
from .setting import Setting

FILE_NAME = "hotshoe.toml"
"""The file that is read from the current directory when none is named."""

_OTHER_BOKEH_KEYS = {"BOKEH_ALLOW_WS_ORIGIN": "allowed_ws_origin"}
_DEV = {"log_level": "debug"}
"""What ``BOKEH_DEV`` makes the default, as in bokeh."""


class Given(NamedTuple):
    """A value, and where it stands in the words of an error."""

    value: Any
    where: str


@dataclass(frozen=True, slots=True)
class BokehFile:
    """A file of bokeh's settings: by bokeh's own names, of which those that mean nothing here are passed over."""

    path: Path
    values: Mapping[str, Any]


def gather(table: Iterable[Setting], explicit: Mapping[str, Any], environ: Mapping[str, str], file: Path | None, *,
           flags: bool = False, bokeh: BokehFile | None = None, bokeh_user: BokehFile | None = None,
           ) -> dict[str, Given]:
    """What is given, by name; what none is given for is left out. Raises ``ConfigError``.

    Of bokeh's files, ``bokeh`` (``--use-config``) is stronger than the environment, and the user's own is weaker than
    ours. What a platform says to every program is weakest.
    """
    table = tuple(table)
    winning = [row for row in table if row.declaration.bokeh_wins]
    values = from_dev(table, environ)
    values |= from_bokeh(table, bokeh_user)
    values |= from_file(table, file) if file else {}
    values |= from_environment(table, environ)
    values |= from_bokeh(table, bokeh)
    values |= from_explicit(table, explicit, flags=flags)
    values |= from_environment(winning, environ, only_bokeh=True)
    values |= from_bokeh(winning, bokeh)
    if "unix_socket" not in values:  # else the platform's port is that of the proxy before the socket
        values |= from_platform([row for row in table if row.name not in values], environ)
    return values


def from_explicit(table: Iterable[Setting], given: Mapping[str, Any], *, flags: bool) -> dict[str, Given]:
    """What a program passes by name, or the command line by flag."""
    rows = {row.name: row for row in table}
    values = {}
    for name, value in given.items():
        if name not in rows:
            raise ConfigError(f"There is no setting {name}{_suggestion(name, rows)}")
        values[name] = _checked(rows[name], value, rows[name].flag if flags else name)
    return values


def from_environment(table: Iterable[Setting], environ: Mapping[str, str], *,
                     only_bokeh: bool = False) -> dict[str, Given]:
    """What environment variables say; one that is empty says nothing."""
    values = {}
    for row in table:
        own, *others = row.environment
        weakest = row.declaration.platform_environment
        names = [name for name in (others if only_bokeh else (own, *others)) if name != weakest]
        name = next((name for name in names if environ.get(name)), None)
        if name is not None:
            translated = _from_bokeh(row, environ[name]) if name == row.declaration.bokeh_environment else environ[name]
            values[row.name] = _parsed(row, translated, f"the environment's {name}")
    return values


def from_platform(table: Iterable[Setting], environ: Mapping[str, str]) -> dict[str, Given]:
    """What the platform says to every program that it runs, such as the port where it is to listen."""
    said = {row: row.declaration.platform_environment for row in table}
    return {row.name: _parsed(row, environ[name], f"the environment's {name}")
            for row, name in said.items() if name is not None and environ.get(name)}


def from_file(table: Iterable[Setting], file: Path) -> dict[str, Given]:
    """What a TOML file says. ``_`` and ``-`` are the same in its keys."""
    rows = {row.key: row for row in table}
    values = {}
    for written, value in _read(file).items():
        key = written.replace("_", "-")
        if key not in rows:
            raise ConfigError(f"{file}: there is no setting {written}{_suggestion(key, rows)}")
        values[rows[key].name] = _checked(rows[key], value, f"{file}: {written}")
    return values


def bokeh_key(row: Setting) -> str | None:
    """What bokeh's files call the setting, if it is one of bokeh's."""
    variable = row.declaration.bokeh_environment
    return variable and _OTHER_BOKEH_KEYS.get(variable, variable.removeprefix("BOKEH_").lower())


def from_bokeh(table: Iterable[Setting], file: BokehFile | None) -> dict[str, Given]:
    """What a file of bokeh's settings says; a key without a value says nothing."""
    if file is None:
        return {}
    keys = {row: bokeh_key(row) for row in table}
    return {
        row.name: _of_yaml(row, value, f"{file.path}: {key}")
        for row, key in keys.items() if key is not None and (value := file.values.get(key)) is not None
    }


def from_dev(table: Iterable[Setting], environ: Mapping[str, str]) -> dict[str, Given]:
    """The defaults where ``BOKEH_DEV`` is on."""
    switch = next((row for row in table if row.name == "dev"), None)
    text, where = environ.get("BOKEH_DEV"), "the environment's BOKEH_DEV"
    if switch is None or not text or not _parsed(switch, text, where).value:
        return {}
    return {name: Given(value, where) for name, value in _DEV.items()}


def _of_yaml(row: Setting, value: Any, where: str) -> Given:
    """YAML has types, but bokeh takes texts for all of them."""
    if row.declaration.from_bokeh is None and row.fits(value):
        return _checked(row, value, where)
    if isinstance(value, list):
        return _checked(row, [str(part) for part in value], where)
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return _parsed(row, _from_bokeh(row, text), where)


def _from_bokeh(row: Setting, text: str) -> str:
    return text if row.declaration.from_bokeh is None else row.declaration.from_bokeh(text)


def read_bokeh_file(file: Path) -> BokehFile:
    """A file of bokeh's settings in YAML. Raises ``ConfigError``."""
    import yaml  # type: ignore[import-untyped]  # half of the users have no such file

    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{file}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: has no settings: each is a line like log_level: debug")
    return BokehFile(file, values)


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


def _parsed(row: Setting, text: str, label: str) -> Given:
    try:
        value = row.parse(text)
    except ValueError as error:
        raise ConfigError(f"{label}: {error}") from None
    return _checked(row, value, label)


def _checked(row: Setting, value: object, label: str) -> Given:
    try:
        value = row.read(value)
    except ValueError as error:
        raise ConfigError(f"{label}: {error}") from None
    if problem := row.problem(value):
        raise ConfigError(f"{label}: {problem}")
    return Given(value, label)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
