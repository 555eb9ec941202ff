"""The errors that hotshoe raises.

HotshoeError
├── UserError               a mistake of the operator or author; the text is one line with the fix
│   ├── ConfigError         a setting has a wrong value
│   ├── AppError            an app is missing, is not an app, or does not compile
│   ├── BindError           the server cannot listen on the address or port
│   └── SiteError           the site around the apps cannot be loaded, or its startup fails
├── RemoteError             a mistake of the client; has an HTTP status and a close code
│   ├── ProtocolError       a malformed or unexpected websocket message
│   ├── TokenError          a malformed, forged or expired session token
│   ├── RequestError        a request that cannot be fulfilled
│   │   ├── LoginError      it needs a login
│   │   └── AccessError     it is not allowed for this user
│   └── CapacityError       the limit of sessions or logins is reached
├── BuildError              an app failed to build its document
├── CompileError            a custom model's JavaScript or TypeScript does not compile
├── InternalError           a host failed with an unexpected error, which its log has
├── SessionGone             the session has ended
├── EarlyReadError          an app asked about the visitor of a session that has none yet
├── ClientError             an error of hotshoe.client; also an OSError, as in bokeh.client
│   ├── NoServerError       there is no server at the address
│   ├── RefusedError        the server refuses the connection: status and reason
│   ├── ClientTimeout       the server did not respond in time
│   └── LostError           a connected session is lost for good
└── UnlockedChangeError     a document was changed without its lock

UnseenCallback              ends a callback that computes for a session that nobody sees; a BaseException
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class HotshoeError(Exception):
    """The base class of all errors that hotshoe raises."""


class UserError(HotshoeError):
    """A mistake of the operator or author; its text is one line that names the fix."""


class ConfigError(UserError):
    """A setting has a wrong value."""


class AppError(UserError):
    """An app is missing, is not an app, or does not compile."""


class BindError(UserError):
    """The server cannot listen on the given address or port."""


class SiteError(UserError):
    """The site around the apps cannot be loaded, or its startup or shutdown fails."""


class RemoteError(HotshoeError):
    """A mistake of the client.

    ``status`` is the HTTP status for the response, ``close_code`` the RFC 6455 code for closing a websocket.
    """

    status = 400
    close_code = 1002

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ProtocolError(RemoteError):
    """A websocket message that is malformed, too large or unexpected."""

    def __init__(self, detail: str, *, close_code: int = 1002) -> None:
        super().__init__(detail)
        self.close_code = close_code


class TokenError(RemoteError):
    """A session token that is not accepted; ``reason`` tells why."""

    status = 403
    close_code = 1008

    def __init__(self, detail: str, *, reason: Literal["missing", "malformed", "forged", "expired"]) -> None:
        super().__init__(detail)
        self.reason = reason


class RequestError(RemoteError):
    """A request that cannot be fulfilled; ``status`` tells why."""

    close_code = 1008

    def __init__(self, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


class LoginError(RequestError):
    """The request needs a login; ``place`` is the login page, as a reference from the requested page."""

    def __init__(self, detail: str, place: str | None = None) -> None:
        super().__init__(detail, status=401)
        self.place = place


class AccessError(RequestError):
    """The request is not allowed for this user.

    ``logout`` is the logout page, as a reference; ``page`` is the HTML that an app has for this case.
    """

    def __init__(self, detail: str, logout: str | None = None, *, page: str | None = None) -> None:
        super().__init__(detail, status=403)
        self.logout = logout
        self.page = page


class CapacityError(RemoteError):
    """The limit of sessions, or of logins in progress, is reached. The text is for the viewer.

    ``status`` is 503 for a limit of the server, 429 for a limit of this viewer.
    """

    close_code = 1013

    def __init__(self, detail: str, *, status: int = 503) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Frame:
    """A call in a traceback."""

    file: str
    line: int
    function: str
    is_own: bool
    """Whether it is the author's code; for libraries, the fields below are empty."""
    source: tuple[tuple[int, str], ...] = ()
    """The lines around ``line``, with their numbers."""
    variables: tuple[tuple[str, str], ...] = ()
    """The local variables with their ``repr``."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as plain data."""

    kind: str
    message: str
    frames: tuple[Frame, ...]
    """The outermost first."""
    relation: str = ""
    """How it led to the previous failure of the report; empty for the first."""


@dataclass(frozen=True, slots=True)
class Report:
    """An exception for the app's author only: it contains code and data."""

    failures: tuple[Failure, ...]
    """The exception, then its causes."""
    text: str
    """The traceback in Python's format."""


class BuildError(HotshoeError):
    """An app failed to build its document; the log has the traceback under ``error_id``.

    In dev mode, ``report`` is the exception.
    """

    def __init__(self, app: str, error_id: str, report: Report | None = None) -> None:
        super().__init__(f"app {app} failed to build a document (error {error_id})")
        self.app = app
        self.error_id = error_id
        self.report = report


class CompileError(HotshoeError):
    """A custom model cannot be compiled: node is missing, or its code is wrong. The text says which, and where."""


class InternalError(HotshoeError):
    """A host in another process failed with an unexpected error; the host's log has it under ``error_id``."""

    def __init__(self, error_id: str) -> None:
        super().__init__(f"the host failed (error {error_id})")
        self.error_id = error_id


class SessionGone(HotshoeError):
    """The session has ended, so nothing can run in it."""


class EarlyReadError(HotshoeError):
    """An app read ``name``, which depends on the visitor, while its session had no visitor yet."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was read before the session had a visitor: an app that does so while its document is "
                         "built can't be built ahead")
        self.name = name


class UnseenCallback(BaseException):
    """Raised in a callback that computes while nobody sees its session, to end it.

    It is not a ``HotshoeError``, nor an ``Exception``, so that apps which catch these do not go on computing.
    """

    def __init__(self) -> None:
        super().__init__("nobody sees this session any more: its callback was ended")


class UnlockedChangeError(HotshoeError, RuntimeError):
    """A document was changed without its lock; the change of a model is sent with the next locked section."""

    def __init__(self, text: str = "the document was changed without its lock: use doc.add_next_tick_callback(f) or "
                 "hotshoe.locked_callback(doc) to change it from a thread or an unlocked callback") -> None:
        super().__init__(text)


class ClientError(HotshoeError, OSError):
    """An error of ``hotshoe.client``; the text is one line with the reason."""


class NoServerError(ClientError):
    """There is no server at the address; perhaps it has not started yet."""


class RefusedError(ClientError):
    """The server refuses the connection."""

    def __init__(self, text: str, *, status: int | None = None, code: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        """The HTTP status of the response; ``None`` if the server closed the websocket instead."""
        self.code = code
        """The close code of the websocket."""


class ClientTimeout(ClientError, TimeoutError):
    """The server did not respond in time; it may still be working."""


class LostError(ClientError):
    """A connected session is lost for good; changes are not sent any more."""
