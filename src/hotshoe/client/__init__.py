"""Work with a session on a server, of hotshoe or ``bokeh serve``, from Python: no server code comes along."""

from ..errors import ClientError, ClientTimeout, LostError, NoServerError, RefusedError
from .async_session import AsyncSession
from .opening import pull_session, pull_session_async, push_session, push_session_async, show_session
from .session import Session

ClientSession = Session
"""The name that it has in ``bokeh.client``."""

__all__ = [
    "AsyncSession",
    "ClientError",
    "ClientSession",
    "ClientTimeout",
    "LostError",
    "NoServerError",
    "RefusedError",
    "Session",
    "pull_session",
    "pull_session_async",
    "push_session",
    "push_session_async",
    "show_session",
]
