"""The interface between the front and the place where sessions live: plain data in, plain data out.

A host may run in the front's own process (``inline``), in a worker process or on another machine. So no document,
session or callable passes here. The only exception is the attachment, whose methods move plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from msgspec import Struct

from ..base.tasks import STOP_GRACE_S
from ..http.requests import Request
from ..pages.page import Page
from ..wire.messages import Close, Incoming, Outgoing


@dataclass(frozen=True, slots=True)
class AppInfo:
    """The description of an app that the front needs to route requests and to list apps."""

    url: str
    """``/name``, or ``/`` for an app at the root; never with a trailing slash otherwise."""
    title: str
    description: str = ""
    has_static: bool = False
    """Whether the app has a ``static`` folder of its own."""
    thumbnail: str = ""
    """The file name of its picture for the index page; empty without one."""
    source: str = ""
    """The file name of its script, notebook or main file; empty without one."""
    version: str = ""
    """Changes on every reload and restart in dev mode; empty otherwise."""
    has_process_request: bool = False
    """Whether the app has a ``process_request`` hook, whose result the token carries."""
    origin: str = ""
    """A hash of what the app is made from, a file or a function. It is the same in all processes that serve this."""


class AsPage(Struct, tag=True, frozen=True):
    """Asks ``open`` for the session's document as a page."""


class AsScript(Struct, tag=True, frozen=True):
    """Asks ``open`` for the script that embeds the session in another page. See ``pages.autoload.render_autoload``."""

    element_id: str | None
    """The element that gets the app; with ``None``, the result is only the plan, as JSON."""
    app_path: str = "/"
    absolute_url: str | None = None
    resources: bool = True


View = AsPage | AsScript


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Asks for a session: find it, or create it."""

    app: str
    request: Request
    """The request as the app sees it. If a user created the session, only this user may open it."""
    session_id: str
    payload: Mapping[str, Any] | None = None
    """The payload of the token; ``None`` without a token, and then the hook ``process_request`` is called."""
    may_create: bool = True
    """Whether to create the session if none has this id."""
    view: View | None = None
    """How to render the session; ``attach`` ignores it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session was found or created."""

    payload: Mapping[str, Any] = field(default_factory=dict)
    """For the token: the result of ``process_request``, or the payload of the request."""
    page: Page | None = None
    """The rendered view. It has a slot for the token, and a page also has one for the nonce."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The description of a live session."""

    id: str
    app: str
    user: str | None
    age_s: float
    connections: int
    memory_bytes: int | None = None
    """``None`` if unknown: the memory of sessions that share a process can't be measured separately."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot of the numbers of a host's sessions, connections and threads."""

    sessions: Mapping[str, int]
    """Live sessions by app URL."""
    connections: int
    threads: int
    unused: Mapping[str, int] = field(default_factory=dict)
    """Live sessions without a connection, by app URL."""


@dataclass(frozen=True, slots=True)
class FileName:
    """Names a file of an app. The host finds it, and refuses a name that leads out of the app's folder."""

    app: str
    kind: Literal["static", "thumbnail", "source", "component"]
    name: str = ""
    """The path below the app's ``static`` folder, separated by ``/``; ``MODULE/CLASS/ATTRIBUTE/FILE`` for a file of a
    component of Panel; empty for the other kinds."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """The description of an app's file. ``Host.read_file`` reads its content."""

    name: str
    """The file's own name; its suffix tells the media type."""
    size: int
    modified_ns: int
    identity: str
    """Changes if another file replaces this one, but not if this one is written to: so a growing log can be sent.
    ``read_file`` checks it, so that no response mixes two files."""
    path: str | None = None
    """The path on this machine, if the front may open the file itself; a host in another process leaves it out."""


FILE_CHUNK_BYTES = 256 * 1024
"""The largest ``size`` of a call of ``Host.read_file``."""


class SessionEnded(Struct, tag=True, frozen=True):
    """There is no session with this id any more: it has ended, its build failed, or its app was replaced."""

    app: str
    session_id: str


class AppsChanged(Struct, tag=True, frozen=True):
    """``Host.apps`` is a new object: an app was added or withdrawn, or has another version."""

    apps: Mapping[str, AppInfo]


Event = SessionEnded | AppsChanged
Listener = Callable[[Event], None]


class Attachment(Protocol):
    """One websocket's place in a session: a duplex pipe of plain data. Used on the event loop only."""

    async def receive(self) -> Sequence[Outgoing] | Close:
        """Wait for the next messages to send, whole and in order, or for the order to close the websocket.

        A cancelled call loses nothing: the next call returns the messages. The next call also means that the messages
        of the call before were sent.
        """

    def handle(self, message: Incoming) -> None:
        """Pass a message from the browser to the session; its answers come through ``receive``."""

    async def ready(self) -> None:
        """Wait until there is room for another message. Without this wait, messages pile up."""

    def detach(self) -> None:
        """End the attachment, because the websocket is gone. May be called more than once."""


class Host(Protocol):
    """Runs apps and keeps their sessions. All methods are called on one event loop.

    Events and results reach the front in the order in which they happened. Errors of ``base.errors`` reach it
    unchanged. A host in another process logs any other error, and raises ``InternalError`` with the id of its log line.
    """

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """The apps by URL, in the order of the server's arguments: an immutable snapshot. See ``AppsChanged``."""

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with each event from now on, on the event loop. It must neither block nor raise.

        It replaces the listener before: a host has one front, and a server that starts again makes a new front.
        """

    async def start(self) -> None:
        """Run the load hooks and begin to expire sessions. Call it on the loop that will serve."""

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End every session and run all hooks. Returns when this is done, or after ``grace_s``."""

    async def open(self, open_request: OpenRequest) -> Opened:
        """Find or create the session, and render it if the request has a view.

        If a call may create a session but leaves none, the front gets ``SessionEnded``: before the error, after a
        cancelled call, or after the result of a call whose session has ended, or lost its app, meanwhile.

        Raises ``BuildError`` if the app failed to build or to render its document, ``RequestError`` for an unknown app
        or a wrong parameter of the view, ``AccessError`` if another user created the session,
        ``SessionGone`` if there is no session and the call may not create one.
        """

    async def attach(self, open_request: OpenRequest) -> Attachment:
        """Find or create the session and subscribe a websocket to it. Raises the same errors as ``open``."""

    async def metadata(self, app: str) -> Any:
        """The app's metadata as JSON data."""

    async def serve_app(self, url: str, target: Any) -> None:
        """Load ``target``, run its load hook, and serve it at ``url``. It replaces the app that is there now.

        ``target`` is the path of an app, a function, or an Application. Raises ``AppError`` if it is not an app. A
        host in another process also raises it for functions and objects, because they can't be sent.
        """

    async def withdraw_app(self, url: str) -> None:
        """Stop serving an app: its sessions end, then its unload hook runs. Raises ``RequestError`` for no app."""

    async def file(self, name: FileName) -> FileInfo:
        """Describe a file of an app. Raises ``RequestError`` if it can't be served; its status says why."""

    async def component_apps(self, name: str) -> Sequence[str]:
        """The apps whose visitors may have this file of a Panel component, by its ``FileName.name``; none if no app has
        imported such a component. Touches no disk."""

    async def read_file(self, name: FileName, identity: str, start: int, size: int) -> bytes:
        """Read ``size`` bytes of the file from ``start`` on; fewer only at its end.

        The content of ``source`` is text in UTF-8; for a notebook it is the code. Raises ``RequestError`` if another
        file has replaced the one with this ``identity``.
        """

    async def model_script(self, digest: str) -> str | None:
        """The compiled JavaScript of a custom model that a page names by its digest. Raises ``CompileError``."""

    async def statistics(self) -> Statistics:
        """A snapshot of the host's numbers."""

    async def sessions(self) -> Sequence[SessionInfo]:
        """Describe the live sessions."""

    async def close(self, app: str, session_id: str) -> bool:
        """End a session: its hooks run and its websockets close. Returns whether there was one."""

    async def update(self, app: str, function: Callable[..., Any] | str, *args: Any) -> None:
        """Call ``function(document, *args)`` for each live session of an app, its document locked.

        Returns when all calls have ended, and raises the first error among them. ``function`` is a function, or a name
        like ``"module:name"``, which is imported where the sessions live. A host in another process raises
        ``ConfigError`` for a function: it accepts only a name, and arguments that are plain data.
        """
