"""pyplot's figures for each session: nobody draws into another user's current figure, or closes it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from types import ModuleType
from typing import Any

from ...base.import_hooks import when_imported
from .own_state import current_own, forwarding

log = logging.getLogger("hotshoe.app")


_METHODS = ("clear", "get", "items", "keys", "move_to_end", "pop", "popitem", "setdefault", "update", "values")


def _isolate(helpers: ModuleType) -> None:
    registry: Any = getattr(helpers, "Gcf", None)
    figures = getattr(registry, "figs", None)
    if hasattr(figures, "is_per_session"):
        return
    if not isinstance(figures, OrderedDict):
        log.warning("This matplotlib keeps pyplot's figures in another way than hotshoe knows, so sessions share the "
                    "current figure: set thread = \"own\" for apps that use pyplot (--app-thread own)")
        return

    def current() -> OrderedDict[Any, Any]:
        own = current_own()
        return figures if own is None else own.figures

    registry.figs = forwarding(current, *_METHODS)
    registry.figs.is_per_session = True


def isolate_pyplot() -> None:
    """Let pyplot look up its figures per session, from its import on."""
    when_imported("matplotlib._pylab_helpers", _isolate)
