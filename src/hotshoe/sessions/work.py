"""One piece of locked work: a function, who is told how it ended, and for whom it runs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import SessionGone
from ..wire.messages import Outgoing
from .section import Section

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session

Settle = Callable[[Any, BaseException | None], Sequence[Outgoing]]
"""Told how a section ended (its result, or what it raised); returns the replies to the originator, if any."""


class Work:
    """Runs ``function`` in a section of ``session``, when the lane calls it.

    ``settle`` is called with what came of it, still with the lock, ``left`` when all it changed has been told.
    ``rites`` are what still runs once the session is ``destroyed``.
    """

    __slots__ = ("_function", "_left", "_origin", "_rites", "_session", "_settle")

    def __init__(self, session: Session, function: Callable[[], Any], settle: Settle,
                 left: Callable[[], None] | None, origin: Connection | None, rites: bool) -> None:
        self._session = session
        self._function = function
        self._settle = settle
        self._left = left
        self._origin = origin
        self._rites = rites

    def __call__(self) -> Awaitable[None] | None:
        """Run it. What is returned is the rest of it, to be awaited."""
        session = self._session
        if session.destroyed and not self._rites:
            self._settle(None, SessionGone(f"session {session.id} has ended"))
            self._leave()
            return None
        section = session.enter(self._origin)
        try:
            result = self._function()
        except BaseException as error:
            self._end(section, None, error)
            return None
        if inspect.isawaitable(result):
            return self._await(section, result)
        self._end(section, result, None)
        return None

    async def _await(self, section: Section, awaitable: Awaitable[Any]) -> None:
        try:
            result = await awaitable
        except BaseException as error:
            self._end(section, None, error)
        else:
            self._end(section, result, None)

    def _end(self, section: Section, result: Any, error: BaseException | None) -> None:
        replies: Sequence[Outgoing] = ()
        try:
            replies = self._settle(result, error)
        finally:
            try:
                self._session.leave(section, replies)
            finally:
                self._leave()

    def _leave(self) -> None:
        if self._left is not None:
            self._left()
