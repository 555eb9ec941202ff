"""A session with the names of stock's ``ServerSession``, including the private ones that Panel reads."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from bokeh.document import Document

from ...base.left_out import missing


class StockOwner(Protocol):
    """The session behind a ``StockSession``."""

    document: Document
    expiration_blocks: int
    expiration_requested: bool
    unused_since_s: float

    @property
    def id(self) -> str: ...
    @property
    def destroyed(self) -> bool: ...
    @property
    def connection_count(self) -> int: ...
    @property
    def is_locked_here(self) -> bool: ...
    def write_events(self, events: Sequence[Any]) -> None: ...
    def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]: ...


class StockConnection:
    """Represents all websockets of a session at once: its events are encoded once for all of them."""

    _socket = None

    def __init__(self, owner: StockOwner) -> None:
        self._owner = owner

    def write(self, events: Sequence[Any]) -> None:
        """Send changes that Panel has held back, in this section or in a new one."""
        self._owner.write_events(events)


class StockLock:
    """The lock of stock's session for Panel; hotshoe has a lane in its place."""

    def __init__(self, owner: StockOwner) -> None:
        self._owner = owner

    def locked(self) -> bool:
        """Whether this thread or task runs with the document locked."""
        return self._owner.is_locked_here


_BY_SERVER = "the server does that; change the document, and all its pages follow"
LEFT_OUT = {
    "destroy": "use request_expiration(), and the session ends when no page shows it",
    "token": "each page has a token of its own",
    **dict.fromkeys(("notify_connection_lost", "patch", "pull", "push", "subscribe", "unsubscribe"), _BY_SERVER),
}
"""Names of stock's session."""


class StockSession:
    """``session_context.session`` with the names of stock's session, including the private ones that Panel reads."""

    def __init__(self, owner: StockOwner) -> None:
        # A weak reference: the session refers to this object, and must be freed without garbage collection.
        self._owner: StockOwner = weakref.proxy(owner)
        self._lock = StockLock(self._owner)
        self._subscribed_connections = [StockConnection(self._owner)]

    @property
    def id(self) -> str:
        """The session's id."""
        return self._owner.id

    @property
    def document(self) -> Document:
        """The session's document."""
        return self._owner.document

    @property
    def destroyed(self) -> bool:
        """Whether the session has ended."""
        try:
            return self._owner.destroyed
        except ReferenceError:
            return True

    @property
    def connection_count(self) -> int:
        """The number of websockets of the session."""
        return self._owner.connection_count

    @property
    def expiration_blocked(self) -> bool:
        """Whether the session is kept without a connection."""
        return self._owner.expiration_blocks > 0

    @property
    def expiration_blocked_count(self) -> int:
        """How often ``block_expiration`` was called without ``unblock_expiration``."""
        return self._owner.expiration_blocks

    @property
    def milliseconds_since_last_unsubscribe(self) -> float:
        """The time since the session was used last; it means nothing while it has a connection."""
        return (time.monotonic() - self._owner.unused_since_s) * 1000

    @property
    def expiration_requested(self) -> bool:
        """Whether the session ends as soon as it has no connection and is not blocked."""
        return self._owner.expiration_requested

    @property
    def _pending_writes(self) -> list[Any] | None:
        return [] if self._owner.is_locked_here else None

    def block_expiration(self) -> None:
        """Keep the session without a connection, until ``unblock_expiration`` was called as often."""
        self._owner.expiration_blocks += 1

    def unblock_expiration(self) -> None:
        """Undo one ``block_expiration``. Raises ``RuntimeError`` if there was none."""
        if self._owner.expiration_blocks <= 0:
            raise RuntimeError("mismatched block_expiration / unblock_expiration")
        self._owner.expiration_blocks -= 1

    def request_expiration(self) -> None:
        """Let the session end at the next check for unused sessions, however short it was unused."""
        self._owner.expiration_requested = True

    async def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run ``function`` with the document locked, and await its result."""
        return await self._owner.with_document_locked(function, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, LEFT_OUT)


def session_of(document: Any) -> StockSession | None:
    """The session of a document; ``None`` if hotshoe does not serve the document."""
    session = getattr(getattr(document, "session_context", None), "session", None)
    return session if isinstance(session, StockSession) else None


def request_class(own: type[Any]) -> type[Any]:
    """The ``__class__`` of a session's request: stock's class once that is loaded, since Panel checks for it."""
    return getattr(sys.modules.get("bokeh.server.contexts"), "_RequestProxy", own)
