"""The addresses of apps as sites write them: checked, and taken apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")
_SAFE = "/:@!$&'()*+,;=~-._%"
"""What a path keeps; an address that is quoted already stays as it is."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an app is: ``https://host/app``, ``//host/app``, ``/app``, or relative to the page: ``../app``."""

    origin: str
    """``https://host``, ``//host``, or nothing where that is the page's own."""
    path: str
    """Without a slash at its end."""
    query: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Read an address. Raises ``ValueError`` in one line for what is none."""
        if not isinstance(url, str) or not url:
            raise ValueError(f"the address of an app is a text such as '/sliders', not {url!r}")
        if _CONTROL.search(url):
            raise ValueError(f"the address {url!r} contains a space, a backslash or a control character: quote it")
        parts = _split(url)
        if parts.scheme in ("ws", "wss"):
            raise ValueError("url should be the http or https URL for the server, not the websocket URL")
        if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
            raise ValueError(f"the address {url!r} must begin with http://, https:// or be a path such as '/sliders'")
        if "@" in parts.netloc:
            raise ValueError("the address of an app can't carry a user and password: browsers refuse it")
        origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else f"//{parts.netloc}" if parts.netloc else ""
        return cls(origin, quote(parts.path, safe=_SAFE).rstrip("/"), parts.query)

    @property
    def url(self) -> str:
        """The address itself, without its query."""
        return f"{self.origin}{self.path}"

    @property
    def is_absolute(self) -> bool:
        """Whether the address says host and scheme."""
        return self.origin.startswith("http")

    @property
    def app_path(self) -> str | None:
        """The path on its host, as ``autoload.js`` is told; ``None`` where only the browser knows it."""
        if self.origin or self.path.startswith("/"):
            return self.path or "/"
        return None

    def below(self, name: str) -> str:
        """The address of a resource of the app."""
        return f"{self.url}/{name}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no address: {error}") from None
    return parts


def query_of(arguments: Mapping[str, Any] | None) -> str:
    """Arguments of the app as a query; those of ``bokeh-…`` are not the app's, and are left out as stock does.

    A value may be a list or tuple, for an argument that is given several times.
    """
    given = arguments or {}
    return urlencode({str(name): value for name, value in given.items() if not str(name).startswith("bokeh-")},
                     doseq=True)
