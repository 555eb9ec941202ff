"""``--auth header``: a proxy has logged the user in, and says so in a header; that of a stranger does not count."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from ..errors import RequestError
from .arrival import came_by_proxy
from .claims import is_name, user_of_claims
from .fetching import Fetcher
from .jwts import TokenInvalid, Verifier
from .provider import Endpoint
from .user import User

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Names:
    """The headers that name a user."""

    user: str
    email: str | None = None
    groups: str | None = None


@dataclass(frozen=True, slots=True)
class Jwt:
    """The header with a JWT, and how it is read."""

    header: str
    verifier: Verifier
    fetcher: Fetcher
    user_claim: str
    groups_claim: str


class HeaderLogin:
    """A provider without pages of its own."""

    endpoints: Mapping[str, Endpoint] = {}

    def __init__(self, source: Names | Jwt, logout_url: str | None = None) -> None:
        self._source = source
        self._logout_url = logout_url

    @property
    def logout_path(self) -> str | None:
        """Where the proxy logs out."""
        return self._logout_url

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whom the proxy names."""
        if not came_by_proxy(connection):
            self._tell_of_stranger(connection)
            return None
        if isinstance(self._source, Names):
            return _named_user(connection, self._source)
        return await _user_of_jwt(connection, self._source)

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """The proxy would have asked already."""
        return None

    async def start(self) -> None:
        """Nothing has to be opened."""

    async def stop(self) -> None:
        """Close connections."""
        if isinstance(self._source, Jwt):
            await self._source.fetcher.close()

    def _tell_of_stranger(self, connection: HTTPConnection) -> None:
        header = self._source.user if isinstance(self._source, Names) else self._source.header
        if header in connection.headers:
            peer = connection.client.host if connection.client else "an unknown address"
            _log.warning("%s in a request from %s does not count: it is no trusted proxy (--trusted-proxies)", header,
                         peer)


def _named_user(connection: HTTPConnection, names: Names) -> User | None:
    name = _only(connection, names.user)
    if not name or not is_name(name):
        return None
    email = _only(connection, names.email) if names.email else ""
    groups = _only(connection, names.groups) if names.groups else ""
    if email is None or groups is None:
        return None
    listed = (group.strip() for group in groups.split(","))
    return User(name, email if is_name(email) else "", frozenset(group for group in listed if is_name(group)))


async def _user_of_jwt(connection: HTTPConnection, source: Jwt) -> User | None:
    value = _only(connection, source.header)
    if not value:
        return None
    kind, _, token = value.rpartition(" ")
    if kind.strip().lower() not in ("", "bearer"):
        return None
    try:
        claims = await source.verifier.claims(token)
    except TokenInvalid as error:
        _log.warning("%s of a request does not count: %s", source.header, error)
        return None
    except RequestError:  # the log has the reason
        return None
    return user_of_claims(claims, user_claim=source.user_claim, groups_claim=source.groups_claim, trusts_email=True)


def _only(connection: HTTPConnection, name: str) -> str | None:
    """The value of a header, empty if there is none; ``None`` if there are several: one may be the visitor's own."""
    values = connection.headers.getlist(name)
    if len(values) > 1:
        _log.warning("A request has %s several times, so none counts; the proxy has to replace it", name)
        return None
    try:
        return values[0].encode("latin-1").decode("utf-8").strip() if values else ""
    except UnicodeDecodeError:
        return values[0].strip()
