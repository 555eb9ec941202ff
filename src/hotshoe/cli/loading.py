"""From a parsed command line to settings: the options, the environment, and the files that they name."""

from __future__ import annotations

import argparse
import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import FILE_NAME, TABLE, BokehFile, Given, Settings, gather, read_bokeh_file
from ..errors import ConfigError
from .options import given

_log = logging.getLogger("hotshoe")


@dataclass(frozen=True, slots=True)
class Sources:
    """All that settings come from."""

    explicit: Mapping[str, Any]
    environ: Mapping[str, str]
    file: Path | None = None
    bokeh: BokehFile | None = None
    bokeh_user: BokehFile | None = None

    @classmethod
    def of(cls, values: argparse.Namespace, environ: Mapping[str, str], **explicit: Any) -> Sources:
        """What the options say, what ``explicit`` adds to it, and what they name. Raises ``ConfigError``."""
        options = {**given(values, TABLE), **explicit}
        users = user_file()
        bokeh_user = None if users is None else read_bokeh_file(users)
        some = cls(options, environ, values.config or local_file(), bokeh_user=bokeh_user)
        named = some.gather().get("use_config")
        return some if named is None else replace(some, bokeh=read_bokeh_file(Path(named.value)))

    def gather(self) -> dict[str, Given]:
        """What is given, by name, with the places where it stands. Raises ``ConfigError``."""
        return gather(TABLE, self.explicit, self.environ, self.file, flags=True, bokeh=self.bokeh,
                      bokeh_user=self.bokeh_user)

    def settings(self) -> Settings:
        """The settings. Raises ``ConfigError``."""
        return Settings(**{name: found.value for name, found in self.gather().items()})


def tell_bokeh(file: BokehFile | None = None) -> None:
    """Have bokeh itself read its file of settings; then let its switches mean what they say. Raises ``ConfigError``."""
    try:
        from bokeh.settings import settings
    except ValueError as error:  # it asks some variables when it is imported
        raise ConfigError(f"a variable of bokeh's: {error}") from error
    if file is not None:
        _log.info("Using override config file: %s", file.path)
        settings.load_config(str(file.path))
        _warn_of_unknown(file)
    _check_bokehs_own()
    # bokeh takes any text for a yes, also "no".
    for switch in (settings.pretty, settings.serialize_include_defaults):
        if isinstance(value := switch(), str):
            switch.set_value(_as_switch(value, switch.env_var or switch.name))


def _check_bokehs_own() -> None:
    """What is wrong with them would else fail each page; those that are ours, too, are checked with the others."""
    from bokeh.util.settings import get_all_settings

    ours = {row.declaration.bokeh_environment for row in TABLE}
    for setting in get_all_settings().values():
        try:
            if setting.env_var not in ours:
                setting()
        except ValueError as error:
            raise ConfigError(f"bokeh's {setting.env_var}: {error}") from error
    try:
        import bokeh.resources  # noqa: F401  looks at the one that is left when it is imported
    except ValueError as error:
        raise ConfigError(f"bokeh's BOKEH_LOG_LEVEL: {error}") from error


def _warn_of_unknown(file: BokehFile) -> None:
    from bokeh.util.settings import get_all_settings

    known = [setting.name for setting in get_all_settings().values()]
    for key in file.values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.7)
            hint = f"; did you mean {close[0]}?" if close else ""
            _log.warning("%s: bokeh has no setting %s%s", file.path, key, hint)


def _as_switch(text: str, name: str) -> bool:
    (switch,) = (row for row in TABLE if row.name == "dev")
    try:
        return bool(text) and bool(switch.parse(text))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def local_file() -> Path | None:
    """The ``hotshoe.toml`` of the current directory."""
    file = Path(FILE_NAME)
    return file if file.is_file() else None


def user_file() -> Path | None:
    """The user's own file of bokeh's settings."""
    try:
        file = Path.home() / ".bokeh" / "bokeh.yaml"
    except RuntimeError:  # a user without a home
        return None
    return file if file.is_file() else None
