"""Which session a request asks for: a new one, one named by its id, or one that a token admits to.

The rules and their order are those of ``bokeh serve``; a signature is always checked here, an expiry only matters
to whoever would have to create the session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..apps.request import Request
from ..errors import RequestError
from ..pages.page import check_token
from ..tokens import check_session_id, mint, new_session_id, read
from .requests import last


@dataclass(frozen=True, slots=True)
class Ticket:
    """A wish for a session that has been checked."""

    session_id: str
    token: str | None = None
    """The token that the request brought."""
    payload: Mapping[str, Any] | None = None
    """What that token carries; ``None`` without one."""
    expired: bool = False
    """The token may join a session that lives, but not create one."""


@dataclass(frozen=True, slots=True)
class Tickets:
    """Reads and writes the session ids and tokens of one front."""

    key: bytes | None = None
    """Signs ids and tokens; ``None`` leaves them unsigned."""
    lifetime_s: int = 300
    generate_ids: bool = True
    """Whether a request without an id gets a new one (not with ``external-signed``)."""
    clock: Callable[[], float] = time.time

    def of_page(self, arguments: Mapping[str, list[bytes]], header_id: str | None) -> Ticket:
        """The ticket of a page or an autoload request. Raises ``RequestError``, ``TokenError``."""
        token = last(arguments, "bokeh-token")
        session_id = last(arguments, "bokeh-session-id")
        if header_id is not None:
            if session_id is not None:
                raise RequestError("session ID was provided as an argument and header", status=403)
            session_id = header_id
        if token is not None:
            if session_id is not None:
                raise RequestError("Both token and session ID were provided", status=403)
            return self.of_token(token)
        if session_id is None:
            return Ticket(self._new_id())
        return Ticket(self._checked_id(session_id))

    def of_token(self, text: str) -> Ticket:
        """The ticket that a token is. Raises ``TokenError`` if it is malformed or forged, not if it has expired."""
        check_token(text)
        token = read(text, key=self.key)
        return Ticket(token.session_id, text, token.payload, token.expired(self.clock()))

    def mint(self, session_id: str, request: Request, payload: Mapping[str, Any]) -> str:
        """A token for a page: it carries what the page's socket can't bring again, so that it stays short.

        Raises ``TypeError`` or ``ValueError`` if ``payload`` is nothing that a token can carry.
        """
        carried = {"arguments": dict(request.arguments), **payload}
        return mint(session_id, now_s=self.clock(), lifetime_s=self.lifetime_s, payload=carried, key=self.key)

    def _new_id(self) -> str:
        if not self.generate_ids:
            raise RequestError("No bokeh-session-id provided", status=403)
        return new_session_id(key=self.key)

    def _checked_id(self, session_id: str) -> str:
        if not check_session_id(session_id, self.key):
            raise RequestError("Invalid token or session ID", status=403)
        return session_id
