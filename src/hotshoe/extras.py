"""The extras of the package: where a library of one is missing, a line says how to get it."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import ConfigError


def need(what: str, extra: str, *modules: str) -> None:
    """Raise ``ConfigError`` if one of these modules, which ``what`` is built on and ``extra`` brings, is missing."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        # Quoted: zsh takes brackets for a pattern.
        raise ConfigError(f"{what} needs {', '.join(missing)}: pip install 'hotshoe[{extra}]'")
