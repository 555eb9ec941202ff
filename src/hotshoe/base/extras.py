"""Errors for missing or unsuitable libraries, with the command that installs the right one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from .errors import ConfigError

KNOWN = {"uvicorn": ">=0.53,<0.55", "websockets": ">=15,<18", "a2wsgi": ">=1.10.4,<1.11", "shtab": ">=1.13,<1.14"}
"""The versions whose private parts (of shtab: whose scripts) are as we use them; pyproject.toml has the same."""


def need(what: str, extra: str, *modules: str) -> None:
    """Raise ``ConfigError`` if one of ``modules`` is missing: ``what`` needs it, and ``extra`` installs it."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        # In quotes, since zsh takes brackets for a pattern.
        raise ConfigError(f"{what} needs {', '.join(missing)}: pip install 'hotshoe[{extra}]'")


def wrong_version(library: str, why: str) -> ConfigError:
    """The error for an unsuitable version of a library; ``why`` names the missing or changed part."""
    try:
        found = version(library)
    except PackageNotFoundError:
        found = "(not installed)"
    return ConfigError(f"{library} {found} does not work with this hotshoe, whose limits would not hold ({why}): "
                       f"pip install '{library}{KNOWN[library]}'")
