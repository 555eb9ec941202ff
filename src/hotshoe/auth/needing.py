"""The libraries of the ``auth`` extra: where one is missing, a line says how to get it."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import ConfigError


def need(how: str, *modules: str) -> None:
    """Raise ``ConfigError`` if one of these modules, which ``how`` is built on, is not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{how} needs {', '.join(missing)}: pip install hotshoe[auth]")
