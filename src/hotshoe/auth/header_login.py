"""``--auth header``: a trusted proxy has logged the user in and names the user in a header."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from ..base.errors import RequestError
from ..base.logs import PacedLog
from ..base.users import User
from ..http.requests import came_by_proxy
from .fetching import Fetcher
from .identity import is_name, user_of_claims
from .jwts import TokenInvalid, Verifier
from .provider import Endpoint

_log = PacedLog(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True)
class Names:
    """The headers that name a user."""

    header: str
    email: str | None = None
    groups: str | None = None
    separator: str = ","
    """The text between two groups."""

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user that the headers name."""
        name = _only(connection, self.header)
        if not name or not is_name(name):
            return None
        email = _only(connection, self.email) if self.email else ""
        groups = _only(connection, self.groups) if self.groups else ""
        if email is None or groups is None:
            return None
        listed = (group.strip() for group in groups.split(self.separator))
        return User(name, email if is_name(email) else "", frozenset(group for group in listed if is_name(group)))


@dataclass(frozen=True, slots=True)
class Jwt:
    """The header with a JWT, and how to read it."""

    header: str
    verifier: Verifier
    fetcher: Fetcher
    user_claim: str
    groups_claim: str

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user of a valid token."""
        value = _only(connection, self.header)
        if not value:
            return None
        kind, _, token = value.rpartition(" ")
        if kind.strip().lower() not in ("", "bearer"):
            return None
        try:
            claims = await self.verifier.claims(token)
        except TokenInvalid as error:
            _log.warning("Ignored the token in the header %s of a request: %s", self.header, error)
            return None
        except RequestError:  # logged already
            return None
        return user_of_claims(claims, user_claim=self.user_claim, groups_claim=self.groups_claim, trusts_email=True)


class HeaderLogin:
    """A provider without pages of its own. It ignores the headers of clients that are not trusted proxies."""

    endpoints: Mapping[str, Endpoint] = {}

    def __init__(self, source: Names | Jwt, logout_url: str | None = None) -> None:
        self._source = source
        self.logout_path = logout_url
        """The proxy's logout page."""

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user that the proxy names."""
        if not came_by_proxy(connection.scope):
            self._warn_untrusted(connection)
            return None
        return await self._source.user_of(connection)

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """None: the proxy shows the login page."""
        return None

    async def start(self) -> None:
        """Do nothing: connections open with the first request."""

    async def stop(self) -> None:
        """Close connections."""
        if isinstance(self._source, Jwt):
            await self._source.fetcher.close()

    def _warn_untrusted(self, connection: HTTPConnection) -> None:
        if (header := self._source.header) in connection.headers:
            peer = connection.client.host if connection.client else "an unknown address"
            _log.warning("Ignored the header %s of a request from %s, which is not a trusted proxy "
                         "(--trusted-proxies)", header, peer)


def _only(connection: HTTPConnection, name: str) -> str | None:
    """A header's value, empty if it is missing; ``None`` if it is repeated, as the client may have sent one itself."""
    values = connection.headers.getlist(name)
    if len(values) > 1:
        _log.warning("Ignored the header %s, which a request has several times; let the proxy replace it", name)
        return None
    try:
        return values[0].encode("latin-1").decode("utf-8").strip() if values else ""
    except UnicodeDecodeError:
        return values[0].strip()
