"""Where a session is: what users give as ``url``, as the addresses of the app and of its websocket."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from bokeh.settings import settings

from ..errors import ClientError

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class Address:
    """An app on a server."""

    page: str
    """The app's page, as ``http`` or ``https``."""
    socket: str
    """Its websocket, without the query."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What a user and password in the address become."""

    @classmethod
    def of(cls, url: str = "default", arguments: Mapping[str, str | list[str]] | None = None) -> Address:
        """The address that ``url`` names: of a page or a websocket, or ``"default"`` for the server that bokeh names.

        ``arguments`` become the query. Raises ``ClientError`` if it is none.
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
    def dialled(self) -> str:
        """The websocket's address with the query."""
        return f"{self.socket}?{self.query}" if self.query else self.socket


def default_url() -> str:
    """The server that bokeh's settings name, http://localhost:5006/ unless somebody has changed them."""
    host = settings.default_server_host()
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.default_server_port()}/"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        valid = False
    if not valid:
        raise ClientError(f"{url!r:.200} is no address of an app; it looks like http://localhost:5006/app")
    return parts


def _credentials(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
