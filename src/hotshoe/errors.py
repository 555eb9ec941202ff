"""Every error that hotshoe raises on purpose.

HotshoeError
├── UserError               an operator's or author's mistake: one line that says what to do
│   ├── ConfigError         a setting has a wrong value
│   ├── AppError            an app is missing, is no app, or does not compile
│   ├── BindError           the address or port can't be listened on
│   └── SiteError           the site around the apps can't be loaded, or fails when it starts
├── RemoteError             the other side's mistake: carries an HTTP status and a close code
│   ├── ProtocolError       a malformed or unexpected websocket message
│   ├── TokenError          a session token that is malformed, forged or expired
│   ├── RequestError        a request that asks for what can't be had
│   │   ├── LoginError      nobody is known who asks for it: they have to log in first
│   │   └── AccessError     it is not for this user
│   └── CapacityError       there are as many sessions as there may be
├── BuildError              an app raised while it built its document
├── CompileError            a custom model's JavaScript or TypeScript does not compile
├── SessionGone             the session has ended
├── ClientError             hotshoe.client can't do what it was asked; also an OSError, as bokeh.client raises
│   ├── NoServerError       nobody answers there
│   ├── RefusedError        the server answers, and does not take us: status and reason
│   ├── ClientTimeout       the server has not answered in time
│   └── LostError           a session that was connected is gone for good
└── UnlockedChangeError     a document was changed without its lock
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class HotshoeError(Exception):
    """The root of all errors that hotshoe raises on purpose."""


class UserError(HotshoeError):
    """A mistake of whoever starts the server; its text is one line that names the fix."""


class ConfigError(UserError):
    """A setting has a value that it can't have."""


class AppError(UserError):
    """What was named as an app is missing, is no app, or does not compile."""


class BindError(UserError):
    """The server can't listen where it was told to."""


class SiteError(UserError):
    """The site around the apps can't be loaded, or fails when it starts or ends."""


class RemoteError(HotshoeError):
    """A mistake of the other side.

    ``status`` is the HTTP status to answer with, ``close_code`` the RFC 6455 code to close a websocket with.
    """

    status = 400
    close_code = 1002

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ProtocolError(RemoteError):
    """A websocket message that is malformed, too large or not expected here."""

    def __init__(self, detail: str, *, close_code: int = 1002) -> None:
        super().__init__(detail)
        self.close_code = close_code


class TokenError(RemoteError):
    """A session token that can't be accepted; ``reason`` says which way it is wrong."""

    status = 403
    close_code = 1008

    def __init__(self, detail: str, *, reason: Literal["missing", "malformed", "forged", "expired"]) -> None:
        super().__init__(detail)
        self.reason = reason


class RequestError(RemoteError):
    """A request that asks for what can't be had; ``status`` says why."""

    close_code = 1008

    def __init__(self, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


class LoginError(RequestError):
    """Nobody is known who asks; ``place`` is where to log in, as a reference from what was asked for."""

    def __init__(self, detail: str, place: str | None = None) -> None:
        super().__init__(detail, status=401)
        self.place = place


class AccessError(RequestError):
    """What was asked for is not for this user; ``logout`` is where to log out, as a reference."""

    def __init__(self, detail: str, logout: str | None = None) -> None:
        super().__init__(detail, status=403)
        self.logout = logout


class CapacityError(RemoteError):
    """There are as many sessions as there may be. What it says is for the viewer.

    ``status`` is 503 if all places are taken, 429 if those of this viewer are.
    """

    close_code = 1013

    def __init__(self, detail: str, *, status: int = 503) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Frame:
    """A call on the way to where something was raised."""

    file: str
    line: int
    function: str
    is_own: bool
    """Whether it is the author's code; the fields below are empty for that of libraries."""
    source: tuple[tuple[int, str], ...] = ()
    """The lines around ``line``, with their numbers."""
    variables: tuple[tuple[str, str], ...] = ()
    """The local variables, and how they print."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as plain data."""

    kind: str
    message: str
    frames: tuple[Frame, ...]
    """The outermost first."""
    relation: str = ""
    """How the failure before it in the report came from it; empty for the first."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was raised, for its author only: it shows code and data."""

    failures: tuple[Failure, ...]
    """What came out, then what it came from."""
    text: str
    """The traceback as Python prints it."""


class BuildError(HotshoeError):
    """An app raised while it built its document; ``error_id`` stands in the log beside the traceback.

    ``report`` says in dev mode what was raised.
    """

    def __init__(self, app: str, error_id: str, report: Report | None = None) -> None:
        super().__init__(f"app {app} failed to build a document (error {error_id})")
        self.app = app
        self.error_id = error_id
        self.report = report


class CompileError(HotshoeError):
    """A custom model can't be compiled: node is missing, or its code is wrong; the text says which and where."""


class SessionGone(HotshoeError):
    """The session has ended; nothing can run in it any more."""


class UnlockedChangeError(HotshoeError, RuntimeError):
    """A document was changed without its lock; the value goes out with the next locked section."""


class ClientError(HotshoeError, OSError):
    """A client of a server can't do what it was asked; the text is one line that says why."""


class NoServerError(ClientError):
    """Nobody answers at the address: the server may not run yet."""


class RefusedError(ClientError):
    """The server answers, and does not let us in."""

    def __init__(self, text: str, *, status: int | None = None, code: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        """The HTTP status of its answer; ``None`` if it closed the websocket instead."""
        self.code = code
        """The code that it closed the websocket with."""


class ClientTimeout(ClientError, TimeoutError):
    """The server has not answered in time; it may still be at work."""


class LostError(ClientError):
    """A session was connected, and is gone for good; what is changed now goes nowhere."""
