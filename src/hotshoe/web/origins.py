"""Which origins may open a websocket: the page's own always, others only when they are named.

An origin is the same if its host and port are those that the request was sent to. What a page's script can't set
is believed: ``Host``, and for a websocket also ``X-Forwarded-Host`` and ``Sec-Fetch-Site``, so that a proxy that
rewrites ``Host`` does not break a page of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_DEFAULT_PORT = {"http": 80, "https": 443}


def same_origin(origin: str, host: str | None) -> bool:
    """Whether ``origin`` is the origin that a request with this ``Host`` was sent to.

    A host without a port stands for the default port of the origin's own scheme: behind a proxy that ends TLS, the
    server does not know it.
    """
    if not host:
        return False
    try:
        asked, own = urlsplit(origin), urlsplit(f"//{host.strip()}")
        default = _DEFAULT_PORT.get(asked.scheme)
        if default is None or not asked.hostname or not own.hostname:
            return False
        return (asked.hostname, asked.port or default) == (own.hostname, own.port or default)
    except ValueError:
        return False


def same_origin_socket(origin: str, *, host: str | None, forwarded_host: str | None,
                       fetch_site: str | None) -> bool:
    """``same_origin`` for a websocket's handshake, whose headers no script can set."""
    if fetch_site == "same-origin" or same_origin(origin, host):
        return True
    return forwarded_host is not None and same_origin(origin, forwarded_host.split(",")[0])


def host_of(origin: str) -> str:
    """The origin's ``host[:port]`` in lower case; the empty string if it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def allowed(origin: str, patterns: Iterable[str]) -> bool:
    """Whether the origin matches a pattern of the allow list: ``host``, ``host:port``, ``*`` for any part or all.

    An origin without a port counts as one of port 80, whatever its scheme, as in ``bokeh serve``.
    """
    host = host_of(origin)
    name, port = _split(host)
    return any(pattern == "*" or (bool(name) and _matches(name, port or "80", pattern)) for pattern in patterns)


def pattern_of(entry: str) -> str:
    """An entry of the allow list as ``allowed`` takes it: without a port it stands for port 80."""
    return entry if entry == "*" or _split(entry)[1] else f"{entry}:80"


def _matches(name: str, port: str, pattern: str) -> bool:
    wanted_name, wanted_port = _split(pattern.lower())
    if wanted_port not in ("", "*", port):
        return False
    labels, wanted = name.split("."), wanted_name.split(".")
    return len(labels) == len(wanted) and all(w in ("*", label) for label, w in zip(labels, wanted, strict=True))


def _split(netloc: str) -> tuple[str, str]:
    if netloc.startswith("[") or ":" not in netloc:
        head, bracket, tail = netloc.partition("]")
        return head + bracket, tail.removeprefix(":")
    name, _, port = netloc.rpartition(":")
    return name, port
