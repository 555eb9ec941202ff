"""Functions and classes of apps in other processes, by cloudpickle (joblib, loky, dask, ray): by value, not by name.

Each session runs its app in a module of its own, which no other process can import.
"""

from __future__ import annotations

from typing import Any

from ...base.import_hooks import when_imported

_APP_MODULES = "bokeh_app_"


class _Names(set[str]):
    """The names of modules whose contents cloudpickle sends by value, and those of all apps."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).startswith(_APP_MODULES)


def _send_by_value(module: Any) -> None:
    names = getattr(module, "_PICKLE_BY_VALUE_MODULES", None)
    if isinstance(names, set) and not isinstance(names, _Names):
        module._PICKLE_BY_VALUE_MODULES = _Names(names)


def send_apps_by_value() -> None:
    """Let cloudpickle send what apps define by value, from its import on."""
    for name in ("cloudpickle.cloudpickle", "joblib.externals.cloudpickle.cloudpickle"):  # the second before joblib 1.6
        when_imported(name, _send_by_value)
