"""Lines that bokeh itself logs and warns of when a client sends nonsense. Any client can cause them, at any rate and
length, so they are paced here. And Python's warning of a coroutine that an app has not awaited, for the log.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Coroutine
from typing import Any

from bokeh.util.warnings import BokehUserWarning

from ..base.logs import PacedLog, PaceFilter
from .current import current_document

_OURS = r"hotshoe\.seams\."
"""Warnings count for the innermost module that is not bokeh's. An app's own mistakes count for the app."""


_log = PacedLog(logging.getLogger("hotshoe.app"))


def tell_unawaited() -> None:
    """Log the coroutines that apps have made and not awaited: Python warns on stderr, and only once."""
    warn: Any = getattr(warnings, "_warn_unawaited_coroutine", None)  # what the interpreter calls
    if warn is None or hasattr(warn, "is_hotshoe"):
        return

    def tell(coroutine: Coroutine[Any, Any, Any]) -> None:
        warn(coroutine)
        if current_document() is not None and (code := getattr(coroutine, "cr_code", None)) is not None:
            _log.warning("%s() of %s:%d was called, but its result was never awaited, so it did not run: give the "
                         "async function itself as the callback, or await it", code.co_name, code.co_filename,
                         code.co_firstlineno, kind=(code.co_filename, code.co_firstlineno))

    tell.is_hotshoe = True  # type: ignore[attr-defined]
    warnings._warn_unawaited_coroutine = tell  # type: ignore[attr-defined]


def pace_log() -> None:
    """Pace the lines of messages that name attributes that a model does not have."""
    logging.getLogger("bokeh.core.has_props").addFilter(PaceFilter())


def leave_out_warnings() -> None:
    """Leave out warnings, of which bokeh prints each: of messages that define a model twice, or patch an array that
    can't be changed.
    """
    for text in ("reference already known", "attempted to patch an immutable"):
        warnings.filterwarnings("ignore", text, BokehUserWarning, _OURS)
