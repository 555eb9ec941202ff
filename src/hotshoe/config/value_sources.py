"""The sources of values: flags or arguments, environment variables, files. Each value is checked under its own name.

The environment is an argument and files are only read, so that nothing here has a side effect.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import ConfigError
from ..base.named_files import read_named, reason_of
from .setting import Given, Setting, did_you_mean, read_switch
from .settings import BY_NAME, TABLE, Settings, read_all

FILE_NAME = "hotshoe.toml"
"""The file that is read from the current directory if none is named."""

_OTHER_BOKEH_KEYS = {"BOKEH_ALLOW_WS_ORIGIN": "allowed_ws_origin"}


@dataclass(frozen=True, slots=True)
class BokehFile:
    """A file of bokeh's settings, by bokeh's own names. Names without a meaning here are ignored."""

    path: Path
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SettingSources:
    """All sources of the settings."""

    explicit: Mapping[str, Any]
    """The command line's values, by the names of settings."""
    environ: Mapping[str, str]
    file: Path | None = None
    """A TOML file. ``_`` and ``-`` are the same in its keys."""
    bokeh: BokehFile | None = None
    """The file that ``--use-config`` names."""
    bokeh_user: BokehFile | None = None
    """The user's own file of bokeh's settings."""

    def gather(self) -> dict[str, Given]:
        """The values that are given, by name.

        Raises ``ConfigError``, one line: which setting, where it is given, what is wrong, what is allowed.
        """
        of_bokeh = _from_bokeh(self.bokeh)
        explicit = read_all(self.explicit, BY_NAME, lambda row: row.flag)
        winners = _from_environment(self.environ, lambda row: (row.doc.bokeh if row.doc.bokeh_wins else None,))
        winners |= {row.name: of_bokeh[row.name] for row in TABLE if row.doc.bokeh_wins and row.name in of_bokeh}
        values = (  # a later one overrides an earlier one
            _from_dev(self.environ) | _from_bokeh(self.bokeh_user) | _from_file(self.file)
            | _from_environment(self.environ, lambda row: (row.environment[0], row.doc.bokeh))
            | of_bokeh | explicit | winners)
        if "unix_socket" in values:  # then PORT is for the proxy in front of the socket
            return values
        return values | _from_environment(
            self.environ, lambda row: () if row.name in values else (row.doc.platform,))

    def settings(self) -> Settings:
        """The settings. Raises ``ConfigError``."""
        return Settings(**{name: found.value for name, found in self.gather().items()})


def _from_environment(environ: Mapping[str, str],
                      names: Callable[[Setting], tuple[str | None, ...]]) -> dict[str, Given]:
    """The value of the first of each setting's variables that is set. An empty variable counts as not set."""
    values = {}
    for row in TABLE:
        name = next((name for name in names(row) if name and environ.get(name)), None)
        if name is not None:
            text = row.doc.from_bokeh(environ[name]) if name == row.doc.bokeh else environ[name]
            values[row.name] = row.read(text, _variable(name), text=True)
    return values


def _variable(name: str) -> str:
    return f"environment variable {name}"


def _from_dev(environ: Mapping[str, str]) -> dict[str, Given]:
    """The default that ``BOKEH_DEV`` changes, as in bokeh."""
    text, where = environ.get("BOKEH_DEV"), _variable("BOKEH_DEV")
    return {"log_level": Given("debug", where)} if text and read_switch(text, where) else {}


def _from_file(file: Path | None) -> dict[str, Given]:
    if file is None:
        return {}
    try:
        values = tomllib.loads(read_named(file).decode())
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: this is not valid TOML: {error}") from error
    values = {key.replace("_", "-"): value for key, value in values.items()}
    _gather_apps(values, file)
    return read_all(values, {row.key: row for row in TABLE}, lambda row: f"{file}: {row.key}", f"{file}: ")


def _gather_apps(values: dict[str, Any], file: Path) -> None:
    """Turn the tables of single apps, like ``[apps.sales]``, into entries of the settings."""
    rows = {row.doc.of_app: row for row in TABLE if row.doc.of_app is not None}
    tables = values.pop("apps", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{file}: apps: write a table for each app, like [apps.sales]")
    for app, table in tables.items():
        for key, value in table.items():
            where = f"{file}: [apps.{app}] {key}"
            if (row := rows.get(key.replace("_", "-"))) is None:
                raise ConfigError(f"{where}: apps have no such setting{did_you_mean(key, map(str, rows))}")
            (entry,) = row.read({app: value}, where).value
            values[row.key] = [*row.read(values.get(row.key, []), f"{file}: {row.key}").value, entry]


def _from_bokeh(file: BokehFile | None) -> dict[str, Given]:
    """The values of a file of bokeh's settings. A key without a value counts as not given."""
    if file is None:
        return {}
    return {row.name: _of_yaml(row, value, f"{file.path}: {key}") for row in TABLE
            if (key := bokeh_key(row)) is not None and (value := file.values.get(key)) is not None}


def bokeh_key(row: Setting) -> str | None:
    """The setting's key in bokeh's files, if it is one of bokeh's settings."""
    variable = row.doc.bokeh
    return variable and _OTHER_BOKEH_KEYS.get(variable, variable.removeprefix("BOKEH_").lower())


def _of_yaml(row: Setting, value: Any, where: str) -> Given:
    """Read a value of YAML. It may have a type, or be a text, which bokeh accepts for each type."""
    if isinstance(value, list):
        return row.read([str(part) for part in value], where)
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return row.read(row.doc.from_bokeh(text), where, text=True)


def read_bokeh_file(file: Path) -> BokehFile:
    """Read a YAML file with settings of bokeh. Raises ``ConfigError``."""
    import yaml  # type: ignore[import-untyped]  # many users have no such file

    try:
        values = yaml.safe_load(read_named(file).decode())
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {reason_of(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: this is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: there are no settings in it; write lines like log_level: debug")
    return BokehFile(file, values)
