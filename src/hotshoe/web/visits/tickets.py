"""Decides which session a request is for: a new one, one by its id, or that of a token.

The rules have the same order as in ``bokeh serve``. Signatures are always checked. An expiry matters only if the
session must be created. A payload that is too large for a token is kept on the server (``Parking``).

We sign ids and tokens with keys that only this app, mount and server have (``SecretKeys``). So those of
another app are worth no more than those that a client has made up. Programs to which a secret key was given sign as
bokeh does, for any app: these ids and tokens are "theirs". The tickets:

======================================  ===========  ================  ==========================
the request brings                      unsigned_id  may create        process_request is called
======================================  ===========  ================  ==========================
nothing, or an id of ours or theirs     no           yes               yes
another id (``auto``)                   yes          no                no
a token of ours or theirs               no           until it expires  if issued for another user,
                                                                       or its payload is lost
a token that a client made, our id or   yes          a local script    yes
theirs
a token that a client made, other id    yes          a local script    no
======================================  ===========  ================  ==========================

A client writes any expiry into a token of its own. So such a token joins sessions only, also one with an id of ours:
otherwise a client that had a page once could make sessions for ever, where only pages are guarded.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import Any

from ...base.errors import RequestError, TokenError
from ...base.shared import MemoryShared, Shared, Space
from ...config import Settings
from ...hosts.host import AppInfo
from ...http.requests import Request, last
from ...http.scopes import MOUNT, Scope
from ...pages.page import check_token
from ...tokens import (
    FORGED,
    MAX_TOKEN_CHARS,
    SecretKeys,
    Token,
    TokenTooLongError,
    check_session_id,
    decode_payload,
    encode_payload,
    is_signed_by,
    mint,
    new_session_id,
    read,
)

LONG_CHARS = 1024
"""If a token would be longer, the result of ``process_request`` stays on the server."""

_BEARER = "_hotshoe_bearer"
"""The token's field for the hash of the user and the app that it was issued for."""
_BEARER_CHARS = 16
_GROWTH = 3
"""A token has fewer characters than this for each one that it carries: base64, twice, after compression."""
_PUNCTUATION = 8
"""As many for each value, for the quotes and brackets around it, and its bytes' mark."""

_log = logging.getLogger(__name__)

MARK = "_hotshoe_parked"
"""The token's field that replaces a payload on the server."""

_PLACES_MOST = 1024
"""For how many apps and mounts the derived keys are kept."""

PARKED = Space("parked payloads", most_entries=100_000, most_bytes=64 << 20)


class Mode(Enum):
    """Which session ids are accepted."""

    AUTO = "auto"
    UNSIGNED = "unsigned"
    SIGNED = "signed"
    EXTERNAL = "external-signed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The session that a request asks for, after the checks."""

    session_id: str
    token: str | None = field(default=None, repr=False)
    """The token that the request brought."""
    payload: Mapping[str, Any] | None = None
    """The part of that token that is trusted; ``None`` without a token."""
    expired: bool = False
    """The token may join a live session, but not create one."""
    unsigned_id: bool = False
    """The client chose this id, or made the token. Only a script on this machine may create a session with it; others
    may join one."""
    payload_lost: bool = False
    """The result of ``process_request`` is not here, or is not trusted, so the hook is called again."""
    issued_for: str | None = None
    """``bearer_of`` the token's user and app, if the token has it. For others, the hook is called again."""
    parked_at: str | None = None
    """The key of the payload, if that was too long for the token. See ``Tickets.with_parked``."""

    @property
    def may_create(self) -> bool:
        """Whether a page may create the session, if there is none."""
        return not self.expired and not self.unsigned_id


@dataclass(frozen=True, slots=True)
class Tickets:
    """Reads and writes the session ids and tokens of one app."""

    keys: Sequence[bytes] = field(default=(), repr=False)
    """The app's own keys. The first one signs, and all are accepted; without keys nothing is signed."""
    mode: Mode = Mode.UNSIGNED
    lifetime_s: int = 300
    clock: Callable[[], float] = time.time
    parking: Parking = field(default_factory=lambda: Parking(MemoryShared(), 300))
    """For payloads that are too long for a token."""
    their_keys: Sequence[bytes] = field(default=(), repr=False)
    """The keys with which other programs sign."""

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
        """The ticket of a token. Raises ``TokenError`` if it is malformed or forged, not if it has expired."""
        check_token(text)
        token, is_ours = self._read(text)
        expired = token.expired(self.clock())
        if is_ours:
            return self._of_ours(text, token, expired)
        # Call process_request for a signed id: else a client that it refuses could make its own token to avoid it.
        return Ticket(token.session_id, text, {}, expired, unsigned_id=True,
                      payload_lost=self._is_signed(token.session_id))

    async def with_parked(self, ticket: Ticket) -> Ticket:
        """The ticket with its parked payload, if it has one that is still there."""
        if ticket.parked_at is None:
            return ticket
        parked = await self.parking.find(ticket.parked_at)
        payload = {**(ticket.payload or {}), **(parked or {})}
        return replace(ticket, payload=payload, payload_lost=parked is None, parked_at=None)

    async def mint(self, session_id: str, request: Request, payload: Mapping[str, Any],
             headers: Mapping[str, str] | None = None, *, bearer: str | None = None) -> str:
        """A token for a page. To stay short, it carries only data that the page's websocket can't send again.

        These are the arguments, the ``headers`` that an embedding page has set, and the payload of ``process_request``.
        Raises ``TypeError`` or ``ValueError`` if a token can't carry ``payload``.
        """
        if not self.keys:
            bearer = None  # it proves nothing without a signature
        carried = _carried(request.arguments, headers or {}, bearer)
        if not payload:
            return self._mint(session_id, carried)
        try:
            text = self._mint(session_id, {**carried, **payload})
            if len(text) <= LONG_CHARS:
                return text
        except TokenTooLongError:
            pass
        await self.parking.park(_place(session_id, bearer), payload)
        return self._mint(session_id, {**carried, MARK: True})

    def fits(self, session_id: str, arguments: Mapping[str, list[bytes]], headers: Mapping[str, str],
             most_chars: int) -> bool:
        """Whether a token that ``mint`` would return has ``most_chars`` at most."""
        size = len(session_id)
        size += sum([len(name) + sum([len(value) + _PUNCTUATION for value in values])
                     for name, values in arguments.items()])
        size += sum([len(name) + len(value) + _PUNCTUATION for name, value in headers.items()])
        if LONG_CHARS + _GROWTH * size <= min(most_chars, MAX_TOKEN_CHARS):
            return True
        carried = _carried(arguments, headers, "0" * _BEARER_CHARS if self.keys else None)
        try:
            return len(self._mint(session_id, {**carried, MARK: True})) <= most_chars
        except ValueError:  # longer than any token may be
            return False

    def _mint(self, session_id: str, payload: Mapping[str, Any]) -> str:
        return mint(session_id, now_s=self.clock(), lifetime_s=self.lifetime_s, payload=payload, key=self._key)

    @property
    def _key(self) -> bytes | None:
        return self.keys[0] if self.keys else None

    def _read(self, text: str) -> tuple[Token, bool]:
        """The token, and whether its payload is trusted."""
        match self.mode:
            case Mode.UNSIGNED:
                return read(text), True
            case Mode.AUTO if "." not in text:
                return read(text), False
        if not any(is_signed_by(text, key) for key in (*self.keys, *self.their_keys)):
            raise TokenError(FORGED, reason="forged")
        token = read(text)
        # A script may have chosen the id of an app in mode ``auto``. Perhaps a key that has been replaced signed it.
        if self.mode is not Mode.AUTO and not self._is_signed(token.session_id):
            raise TokenError("session id has a wrong signature", reason="forged")
        return token, True

    def _of_ours(self, text: str, token: Token, expired: bool) -> Ticket:
        payload = dict(token.payload)
        bearer = payload.pop(_BEARER, None)
        if MARK not in payload:
            return Ticket(token.session_id, text, payload, expired, issued_for=bearer)
        del payload[MARK]
        return Ticket(token.session_id, text, payload, expired, payload_lost=True, issued_for=bearer,
                      parked_at=_place(token.session_id, bearer))

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
        return Ticket(session_id, unsigned_id=not is_signed)

    def _is_signed(self, session_id: str) -> bool:
        return any(check_session_id(session_id, key) for key in (*self.keys, *self.their_keys))


class TicketOffice:
    """Makes the ``Tickets`` of each app of one front."""

    def __init__(self, keys: SecretKeys, settings: Settings, shared: Shared) -> None:
        self._keys = keys
        parking = Parking(shared, settings.session_token_expiration)
        their_keys = () if settings.session_ids == "unsigned" else keys.given
        self._unkeyed = Tickets(mode=Mode(settings.session_ids), lifetime_s=settings.session_token_expiration,
                                parking=parking, their_keys=their_keys)
        self._of_place = lru_cache(_PLACES_MOST)(self._make)

    def tickets(self, scope: Scope, app: AppInfo) -> Tickets:
        """Those of ``app``, at the mount of the request."""
        return self._of_place(scope.get(MOUNT, ""), app.url, app.origin)

    def _make(self, mount: str, url: str, origin: str) -> Tickets:
        if self._unkeyed.mode is Mode.UNSIGNED:
            return self._unkeyed
        return replace(self._unkeyed, keys=self._keys.of_app(mount, url, origin))


def bearer_of(app: str, user: str | None) -> str:
    """A short hash of a user and an app."""
    return digest_of(app, user or "")[:_BEARER_CHARS]


def digest_of(*parts: str) -> str:
    """A hash of texts, for a key that reveals none of them."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _place(session_id: str, bearer: str | None) -> str:
    """The key of a payload. Two apps may use the same session id; the id opens the session, so only a hash is kept."""
    return hashlib.sha256(f"{bearer} {session_id}".encode()).hexdigest()


def _carried(arguments: Mapping[str, list[bytes]], headers: Mapping[str, str], bearer: str | None) -> dict[str, Any]:
    """The part of a token's payload that does not come from ``process_request``."""
    carried: dict[str, Any] = {"arguments": dict(arguments)}
    if headers:
        carried["headers"] = dict(headers)
    if bearer is not None:
        carried[_BEARER] = bearer
    return carried


class Parking:
    """Keeps payloads that are too long for a token, for as long as the token can create the session."""

    def __init__(self, shared: Shared, lifetime_s: float) -> None:
        self._shared = shared
        self._lifetime_s = lifetime_s
        self._has_logged = False

    async def park(self, place: str, payload: Mapping[str, Any]) -> None:
        """Keep a payload. It is not compressed: it could then expand to a thousand times the size that counts."""
        data = encode_payload(payload)
        if not self._has_logged:
            self._has_logged = True
            _log.info("process_request returned %d bytes, too many for a token: they wait on the server; a websocket "
                      "that reaches a process without them has process_request called again", len(data))
        await self._shared.put(PARKED, place, data, self._lifetime_s)

    async def find(self, place: str) -> Mapping[str, Any] | None:
        """The payload, if it is still there."""
        [data] = await self._shared.get(PARKED, place)
        return None if data is None else decode_payload(data)
