"""A session and its request with the names that stock's have, private ones among them that Panel reads."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from bokeh.document import Document


class Owner(Protocol):
    """The session behind a ``StockSession``."""

    id: str
    document: Document
    expiration_blocks: int
    expiration_requested: bool

    @property
    def destroyed(self) -> bool: ...
    @property
    def connection_count(self) -> int: ...
    @property
    def is_locked_here(self) -> bool: ...
    def write_events(self, events: Sequence[Any]) -> None: ...
    def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]: ...


class StockConnection:
    """Stands for all websockets of a session at once: what is written here is encoded once, for all of them."""

    _socket = None

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def write(self, events: Sequence[Any]) -> None:
        """Let changes that Panel has held back go out, in this section or in one of their own."""
        self._owner.write_events(events)


class StockLock:
    """Looks like the lock of stock's session, which hotshoe's lane replaces."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def locked(self) -> bool:
        """Whether this thread or task runs with the document locked."""
        return self._owner.is_locked_here


class StockSession:
    """``session_context.session`` with the names that stock's has, private ones among them that Panel reads."""

    def __init__(self, owner: Owner) -> None:
        # Weakly: the session holds this, and must be freed with no search for cycles.
        self._owner: Owner = weakref.proxy(owner)
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
        """How many websockets see the session."""
        return self._owner.connection_count

    @property
    def expiration_blocked(self) -> bool:
        """Whether the session lives on though nobody is connected."""
        return self._owner.expiration_blocks > 0

    @property
    def expiration_requested(self) -> bool:
        """Whether the session ends as soon as nobody is connected and nothing blocks it."""
        return self._owner.expiration_requested

    @property
    def _pending_writes(self) -> list[Any] | None:
        return [] if self._owner.is_locked_here else None

    def block_expiration(self) -> None:
        """Keep the session, though nobody may be connected, until it is unblocked as often."""
        self._owner.expiration_blocks += 1

    def unblock_expiration(self) -> None:
        """Undo one ``block_expiration``. Raises ``RuntimeError`` if there was none."""
        if self._owner.expiration_blocks <= 0:
            raise RuntimeError("mismatched block_expiration / unblock_expiration")
        self._owner.expiration_blocks -= 1

    def request_expiration(self) -> None:
        """Let the session end at the next look for unused ones, however short nobody has been connected."""
        self._owner.expiration_requested = True

    async def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run ``function`` with the document locked and await what it returns."""
        return await self._owner.with_document_locked(function, *args, **kwargs)


def served(document: Any) -> StockSession | None:
    """The session of a document that hotshoe serves."""
    session = getattr(getattr(document, "session_context", None), "session", None)
    return session if isinstance(session, StockSession) else None


def request_class(own: type[Any]) -> type[Any]:
    """What a session's request claims to be: of stock's class, once that is loaded, since Panel asks for it."""
    return getattr(sys.modules.get("bokeh.server.contexts"), "_RequestProxy", own)
