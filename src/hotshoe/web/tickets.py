"""Which session a request asks for: a new one, one named by its id, or one that a token admits to.

The order of the rules is that of ``bokeh serve``. A signature is always checked here; an expiry only matters to
whoever would have to create the session.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..apps.request import Request
from ..errors import RequestError, SessionGone, TokenError
from ..pages.page import check_token
from ..tokens import Token, check_session_id, is_signed_by, mint, new_session_id, read
from .parking import MARK, Parking
from .requests import last

LONG_CHARS = 1024
"""A token that is longer leaves what ``process_request`` returned on the server."""

_BEARER = "_hotshoe_bearer"
"""Who shall show a token, and at which app."""

_UNSIGNED = ("This session id is not signed by the server, so it can't create a session: give this program the "
             "server's BOKEH_SECRET_KEY, or start the server with --session-ids=unsigned")


class Mode(Enum):
    """Whose session ids are taken."""

    AUTO = "auto"
    UNSIGNED = "unsigned"
    SIGNED = "signed"
    EXTERNAL = "external-signed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A wish for a session that has been checked."""

    session_id: str
    token: str | None = field(default=None, repr=False)
    """The token that the request brought."""
    payload: Mapping[str, Any] | None = None
    """What of that token can be believed; ``None`` without one."""
    expired: bool = False
    """The token may join a session that lives, but not create one."""
    brought: bool = False
    """The id is of the other side's own making: but for a script on this machine it only joins a session that lives."""
    lost: bool = False
    """What ``process_request`` returned is not to be had, or can't be believed: it has to be asked again."""
    bearer: str | None = None
    """Who shall show the token, at which app, if it says so: of others, ``process_request`` has not seen a request."""

    @contextmanager
    def joining(self) -> Iterator[None]:
        """Where the session turns out not to live, say why it can't be created. Raises ``RequestError``."""
        try:
            yield
        except SessionGone:
            if self.brought:
                raise RequestError(_UNSIGNED, status=403) from None
            raise


@dataclass(frozen=True, slots=True)
class Tickets:
    """Reads and writes the session ids and tokens of one front."""

    keys: Sequence[bytes] = field(default=(), repr=False)
    """The first signs, each is believed; without one nothing is signed."""
    mode: Mode = Mode.UNSIGNED
    lifetime_s: int = 300
    clock: Callable[[], float] = time.time
    parking: Parking = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parking", Parking(self.lifetime_s, self.clock))

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
        return self._of_id(session_id)

    def of_token(self, text: str) -> Ticket:
        """The ticket that a token is. Raises ``TokenError`` if it is malformed or forged, not if it has expired."""
        check_token(text)
        token, is_ours = self._read(text)
        expired = token.expired(self.clock())
        if is_ours:
            return self._with_parked(text, token, expired)
        brought = not self._is_signed(token.session_id)
        # Whoever has an id of ours could else leave out process_request, and whom it turns away.
        return Ticket(token.session_id, text, {}, expired, brought, lost=not brought)

    def mint(self, session_id: str, request: Request, payload: Mapping[str, Any],
             headers: Mapping[str, str] | None = None, *, bearer: str | None = None) -> str:
        """A token for a page: it carries what the page's socket can't bring again, so that it stays short.

        Those are the arguments, the ``headers`` that an embedder has set and the payload of ``process_request``.
        Raises ``TypeError`` or ``ValueError`` if ``payload`` is nothing that a token can carry.
        """
        carried: dict[str, Any] = {"arguments": dict(request.arguments)}
        if headers:
            carried["headers"] = dict(headers)
        if self.keys and bearer is not None:
            carried[_BEARER] = bearer
        else:
            bearer = None  # nothing would prove it
        text = self._mint(session_id, {**carried, **payload})
        if len(text) <= LONG_CHARS or not payload:
            return text
        self.parking.park(_place(session_id, bearer), payload, _size(payload))
        return self._mint(session_id, {**carried, MARK: True})

    def _mint(self, session_id: str, payload: Mapping[str, Any]) -> str:
        return mint(session_id, now_s=self.clock(), lifetime_s=self.lifetime_s, payload=payload, key=self._key)

    @property
    def _key(self) -> bytes | None:
        return self.keys[0] if self.keys else None

    def _read(self, text: str) -> tuple[Token, bool]:
        """The token, and whether what it carries can be believed."""
        match self.mode:
            case Mode.UNSIGNED:
                return read(text), True
            case Mode.AUTO if "." not in text:
                return read(text), False
            case Mode.AUTO:
                if not any(is_signed_by(text, key) for key in self.keys):
                    raise TokenError("token has a wrong signature", reason="forged")
                return read(text), True  # its id may be one that a script brought
        if not any(is_signed_by(text, key) for key in self.keys):
            raise TokenError("token has a wrong signature", reason="forged")
        token = read(text)
        if not self._is_signed(token.session_id):  # perhaps with a key that was replaced since
            raise TokenError("session id has a wrong signature", reason="forged")
        return token, True

    def _with_parked(self, text: str, token: Token, expired: bool) -> Ticket:
        payload = dict(token.payload)
        bearer = payload.pop(_BEARER, None)
        if MARK not in payload:
            return Ticket(token.session_id, text, payload, expired, bearer=bearer)
        del payload[MARK]
        parked = self.parking.find(_place(token.session_id, bearer))
        payload |= parked or {}
        return Ticket(token.session_id, text, payload, expired, lost=parked is None, bearer=bearer)

    def _new_id(self) -> str:
        if self.mode is Mode.EXTERNAL:
            raise RequestError("No bokeh-session-id provided", status=403)
        return new_session_id(key=self._key)

    def _of_id(self, session_id: str) -> Ticket:
        if not check_session_id(session_id):
            raise RequestError("Invalid token or session ID", status=403)
        is_signed = self.mode is Mode.UNSIGNED or self._is_signed(session_id)
        if not is_signed and self.mode is not Mode.AUTO:
            raise RequestError("Invalid token or session ID", status=403)
        return Ticket(session_id, brought=not is_signed)

    def _is_signed(self, session_id: str) -> bool:
        return any(check_session_id(session_id, key) for key in self.keys)


def bearer_of(app: str, user: str | None) -> str:
    """What stands for a user at an app."""
    return hashlib.sha256(f"{app}\n{user or ''}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _place(session_id: str, bearer: str | None) -> str:
    """Where the payload waits: two apps can have sessions with the same id."""
    return f"{bearer} {session_id}"


def _size(payload: Mapping[str, Any]) -> int:
    """About how much memory it takes: deflated, as in a token, it can be a thousand times smaller."""
    return len(repr(dict(payload)))
