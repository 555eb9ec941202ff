"""Where a visitor is sent: relative to the address at hand if it is one of ours, so that it holds behind any proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import HTTPConnection


def base_of(scope: Mapping[str, Any], prefix: str) -> str:
    """What stands before every path of this server as the browser sees it, unless a proxy cuts more off."""
    root_path: str = scope.get("root_path", "")
    return root_path.rstrip("/") + prefix


def uri_of(scope: Mapping[str, Any]) -> str:
    """Path and query as the browser has sent them."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"], safe="/:@!$&'()*+,;=~")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def with_next(url: str, connection: HTTPConnection) -> str:
    """The login's URL with the address to come back to as ``next``, as Tornado adds it."""
    if "?" in url:
        return url
    back = uri_of(connection.scope)
    if urlsplit(url).scheme:
        scheme = "https" if connection.scope.get("scheme") in ("https", "wss") else "http"
        back = f"{scheme}://{connection.headers.get('host', '')}{back}"
    return f"{url}?{urlencode({'next': back})}"


def relative(location: str, path: str, base: str) -> str:
    """A reference from ``path`` to ``location``, if that is below ``base``; else ``location`` itself."""
    if not location.startswith("/") or location.startswith("//") or not path.startswith(base + "/"):
        return location
    rest = location.removeprefix(base)
    if base and (rest == location or rest[:1] not in ("", "/", "?")):
        return location
    steps = "../" * (path.removeprefix(base).count("/") - 1) or "./"
    return steps + rest.lstrip("/")


def below(url: str, connection: HTTPConnection, base: str) -> str:
    """A path of the whole host as one below ``base``, or as a URL if it is not there."""
    url = "/" + url.lstrip("/")
    if not base or url.startswith(base + "/"):
        return url.removeprefix(base)
    return f"//{connection.headers.get('host', '')}{url}"
