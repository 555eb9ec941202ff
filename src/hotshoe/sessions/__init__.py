"""Sessions: documents with a lane, callbacks and subscribers."""

from .connection import Connection
from .context import ServerContext, SessionContext
from .failures import FailureInfo, on_exception
from .locking import LockedCallback, locked_callback
from .pausing import pause_when_unwatched
from .pulse import Pulse
from .registry import Registry
from .session import Session
from .surroundings import Surroundings
from .threads import ThreadPool

__all__ = [
    "Connection",
    "FailureInfo",
    "LockedCallback",
    "Pulse",
    "Registry",
    "ServerContext",
    "Session",
    "SessionContext",
    "Surroundings",
    "ThreadPool",
    "locked_callback",
    "on_exception",
    "pause_when_unwatched",
]
