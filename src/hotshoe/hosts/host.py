"""Where sessions live, as the front sees it: plain data in, plain data out.

A host may run in the front's own process (``inline``), in a worker process or on another machine. So nothing
that passes here is a document, a session or a callable, but for the attachment, whose methods move plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..apps.request import Request
from ..pages.page import Page
from ..wire.messages import Close, Incoming, Outgoing


@dataclass(frozen=True, slots=True)
class AppInfo:
    """What the front must know of an app to route to it and to list it."""

    url: str
    """``/name``, or ``/`` for an app at the root; never with a trailing slash otherwise."""
    title: str
    description: str = ""
    static_dir: str | None = None
    """The app's own ``static`` folder."""
    thumbnail: str | None = None
    """The file of a picture for the index page."""
    source: str | None = None
    """The app's script, notebook or main file."""
    version: str = ""
    """In dev mode another whenever the app's files have changed, and after each start; else empty."""
    asks_request: bool = False
    """Whether its hook ``process_request`` is asked what the token shall carry."""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A wish to find or create a session."""

    app: str
    request: Request
    session_id: str
    payload: Mapping[str, Any] | None = None
    """What a token carried; ``None`` when there was no token, and ``process_request`` has still to be asked."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session, described."""

    id: str
    app: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What ``process_request`` returned: the token carries it."""
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot of what a host holds."""

    sessions: Mapping[str, int]
    """Live sessions by app URL."""
    connections: int
    threads: int
    unused: Mapping[str, int] = field(default_factory=dict)
    """Those of the sessions that have no connection."""


class Attachment(Protocol):
    """One websocket's place in a session: a duplex pipe of plain data. Used on the event loop only."""

    async def receive(self) -> Sequence[Outgoing] | Close:
        """Wait for what is to be sent next: whole messages, in order, or the order to close.

        Whoever stops waiting loses nothing: the next call gets it.
        """

    def handle(self, message: Incoming) -> None:
        """Give the session a message from the browser; answers come through ``receive``."""

    async def ready(self) -> None:
        """Wait until there is room for another message; whoever does not wait lets messages pile up."""

    def detach(self) -> None:
        """The websocket is gone. May be called more than once."""


class Host(Protocol):
    """Runs apps and keeps their sessions."""

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """The apps by URL, in the order in which they were given."""

    async def start(self) -> None:
        """Run the load hooks and begin to expire sessions. Must run on the loop that will serve."""

    async def stop(self) -> None:
        """End every session, running all hooks; returns when nothing is left."""

    async def open(self, wish: OpenRequest) -> SessionInfo:
        """Find or create the session.

        Raises ``BuildError`` if the app failed to build its document, ``RequestError`` for an unknown app,
        ``CapacityError`` if it would be one session too many.
        """

    async def owner(self, app: str, session_id: str) -> str | None:
        """The name of the user who made the session; ``None`` if it was nobody, or if there is no such session."""

    async def page(self, app: str, session_id: str) -> Page:
        """The session's document as a page. Raises ``SessionGone``, ``BuildError``."""

    async def attach(self, app: str, session_id: str) -> Attachment:
        """Subscribe a websocket to a session. Raises ``SessionGone``."""

    async def autoload_script(self, app: str, session_id: str, *, element_id: str | None, app_path: str,
                              absolute_url: str | None, token: str, resources: bool) -> str:
        """The JavaScript that embeds a session in a foreign page; without an element its plan, as JSON.

        Raises as ``page``, and ``RequestError``.
        """

    async def metadata(self, app: str) -> Any:
        """The app's metadata as JSON data."""

    async def until_changed(self, app: str, version: str) -> None:
        """Wait until the app is another than that of ``version``, which happens in dev mode only."""

    def statistics(self) -> Statistics:
        """A snapshot."""
