"""Apps: what builds a document."""

from .app import App, Hooks
from .loading import NO_APPS, Target, load, load_all
from .reports import describe
from .request import Request
from .sources import Reload, Sources, broken
from .tracebacks import user_traceback

__all__ = [
    "NO_APPS",
    "App",
    "Hooks",
    "Reload",
    "Request",
    "Sources",
    "Target",
    "broken",
    "describe",
    "load",
    "load_all",
    "user_traceback",
]
