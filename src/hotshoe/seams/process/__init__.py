"""State that Python and its libraries have once per process, kept apart for each session where that is possible."""

from __future__ import annotations

from functools import cache

from .own_state import Own, begin_own, current_own, warn_once
from .pickling import send_apps_by_value
from .process_wide import watch_process
from .pyplot import isolate_pyplot
from .seeds import isolate_seeds
from .streams import isolate_streams
from .warning_filters import isolate_warnings


@cache
def isolate_sessions() -> None:
    """Begin to keep the state of sessions apart. Call it before the first session; further calls change nothing."""
    isolate_pyplot()
    isolate_streams()
    isolate_warnings()
    isolate_seeds()
    send_apps_by_value()
    watch_process()


__all__ = ["Own", "begin_own", "current_own", "isolate_sessions", "warn_once"]
