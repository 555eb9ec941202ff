"""Work with a session on a server, of hotshoe or ``bokeh serve``, from Python. Imports no code of the server."""

from ..base.errors import ClientError, ClientTimeout, LostError, NoServerError, RefusedError
from .async_session import AsyncSession
from .connecting import pull_session, pull_session_async, push_session, push_session_async, show_session
from .session import Session

ClientSession = Session
"""Its name in ``bokeh.client``."""

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
