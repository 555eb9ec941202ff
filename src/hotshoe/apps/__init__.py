"""Apps, which build documents: loading them, running their code, loading them again."""

from ..http.requests import Request
from .app import App, Hooks
from .loading import NO_APPS, Target, load, load_all
from .sources import Reload, Sources, failing_app

__all__ = ["NO_APPS", "App", "Hooks", "Reload", "Request", "Sources", "Target", "failing_app", "load", "load_all"]
