"""Lines that bokeh itself logs and warns of when a client sends nonsense. Any client can cause them, at any rate and
length, so they are paced here.
"""

from __future__ import annotations

import logging
import warnings

from bokeh.util.warnings import BokehUserWarning

from ..base.logs import PaceFilter

_OURS = r"hotshoe\.seams\."
"""Warnings count for the innermost module that is not bokeh's. An app's own mistakes count for the app."""


def pace_log() -> None:
    """Pace the lines of messages that name attributes that a model does not have."""
    logging.getLogger("bokeh.core.has_props").addFilter(PaceFilter())


def leave_out_warnings() -> None:
    """Leave out warnings, of which bokeh prints each: of messages that define a model twice, or patch an array that
    can't be changed.
    """
    for text in ("reference already known", "attempted to patch an immutable"):
        warnings.filterwarnings("ignore", text, BokehUserWarning, _OURS)
