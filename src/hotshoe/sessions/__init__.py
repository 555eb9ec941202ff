"""Sessions: documents with a lane, callbacks and subscribers."""

from .connection import Connection, attach
from .context import ServerContext, SessionContext, SessionVisit
from .failures import FailureInfo, on_exception
from .locking import LockedCallback, locked_callback, pause_when_unwatched
from .pulse import Pulse
from .registry import Registry
from .session import Session, Surroundings

__all__ = [
    "Connection",
    "FailureInfo",
    "LockedCallback",
    "Pulse",
    "Registry",
    "ServerContext",
    "Session",
    "SessionContext",
    "SessionVisit",
    "Surroundings",
    "attach",
    "locked_callback",
    "on_exception",
    "pause_when_unwatched",
]
