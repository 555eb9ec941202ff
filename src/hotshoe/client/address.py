"""A user's ``url`` as the addresses of an app and of its websocket."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlencode, urljoin, urlsplit

from bokeh.settings import settings

from ..base.errors import ClientError

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class AppAddress:
    """An app on a server."""

    page: str
    """The app's page, as ``http`` or ``https``."""
    socket: str
    """Its websocket, without the query."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Made from a user and a password in the address."""

    @classmethod
    def of(cls, url: str = "default", arguments: Mapping[str, str | list[str]] | None = None) -> AppAddress:
        """Read ``url``, the address of a page or a websocket, or ``"default"`` for the server in bokeh's settings.

        ``arguments`` are added to the query. Raises ``ClientError`` if ``url`` is not an address.
        """
        parts = _parts(default_url() if url == "default" else url)
        path = parts.path.rstrip("/")
        if parts.scheme in {"ws", "wss"}:
            path = path.removesuffix("/ws")
        host = parts.netloc.rpartition("@")[2]
        scheme = _SCHEMES[parts.scheme]
        query = "&".join(filter(None, (parts.query, urlencode(arguments or {}, doseq=True))))
        return cls(f"{'https' if scheme == 'wss' else 'http'}://{host}{path or '/'}", f"{scheme}://{host}{path}/ws",
                   query, _credentials(parts))

    @property
    def socket_url(self) -> str:
        """The websocket's address with the query."""
        return f"{self.socket}?{self.query}" if self.query else self.socket


def default_url() -> str:
    """The server in bokeh's settings, by default http://localhost:5006/."""
    host = settings.default_server_host()
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.default_server_port()}/"


def is_same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port are the same, so that credentials for one may be sent to the other."""
    return _origin(url) is not None and _origin(url) == _origin(other)


def describe_redirect(url: str, location: str) -> str:
    """An error text: the target of a redirect that was not followed, and the fix."""
    try:
        place = urljoin(url, location)
    except ValueError:
        place = location
    place = "".join(filter(str.isprintable, place.partition("?")[0]))[:200]  # a query may contain secrets
    login = "if that is a login page, give the login by headers= or cookies="
    if is_same_origin(url, place):
        return f"redirects to {place}; {login}"
    return (f"redirects to {place}, another origin, so no credentials were sent there; {login}, "
            "and if it is the app, give that address as url")


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        valid = False
    if not valid:
        raise ClientError(f"{url!r:.200} is not the address of an app, such as http://localhost:5006/app")
    return parts


def _credentials(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
