"""Checks which origins may open a websocket.

The server's own origin always may, others only if they are named.

An origin is the server's own if its host and port are those of the request. Headers that a page's script can't set are
trusted for this: ``Host``, and for a websocket also ``X-Forwarded-Host`` and ``Sec-Fetch-Site``, so that pages work
behind a proxy that rewrites ``Host``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from ...base.logs import PacedLog
from ...http.requests import header
from ...http.scopes import Scope

_log = PacedLog(logging.getLogger(__name__))

_DEFAULT_PORT = {"http": 80, "https": 443}
_LONGEST = 300
"""Most characters of a client's header that go into a log line."""


class Origins:
    """The allow list of one front."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._patterns = tuple(map(pattern_of, entries))

    def admit(self, scope: Scope) -> bool:
        """Whether the websocket may be opened; a refusal is logged with the flag that would allow it."""
        origin = header(scope, b"origin")
        if origin is None:
            return True  # not a browser: Python clients send no Origin
        if self._is_admitted(scope, origin, fetch_site=header(scope, b"sec-fetch-site")):
            return True
        origin = origin[:_LONGEST]
        name = host_of(origin) or origin
        _log.error("Refusing websocket connection from Origin %r; use --allow-websocket-origin=%r or set "
                   "BOKEH_ALLOW_WS_ORIGIN=%r to permit this; the request was sent to Host %r",
                   origin, name, name, (header(scope, b"host") or "")[:_LONGEST])
        return False

    def explain(self, scope: Scope, origin: str, *, was_refused: bool = False) -> str | None:
        """Why a page of ``origin`` gets no websocket with the headers of ``scope``; ``None`` if it gets one.

        ``was_refused``: the websocket was refused, so ``Sec-Fetch-Site`` of this later request is ignored: not all
        browsers send it with a websocket's handshake.
        """
        if self._is_admitted(scope, origin, fetch_site=None if was_refused else header(scope, b"sec-fetch-site")):
            return None
        name = host_of(origin) or origin
        return (f"This server does not let pages of {name} connect. Its operator can allow them with "
                f"--allow-websocket-origin={name}.")

    def _is_admitted(self, scope: Scope, origin: str, *, fetch_site: str | None) -> bool:
        own = same_origin_socket(
            origin,
            host=header(scope, b"host"),
            forwarded_host=header(scope, b"x-forwarded-host"),
            fetch_site=fetch_site,
        )
        return own or allowed(origin, self._patterns)

    def names(self, origin: str) -> bool:
        """Whether the list names the origin, so that requests from it may have credentials.

        An entry ``*`` lets all origins open websockets, but not send cookies.
        """
        return allowed(origin, [pattern for pattern in self._patterns if pattern != "*"])


def same_origin(origin: str, host: str | None) -> bool:
    """Whether a request with this ``Host`` was sent to ``origin``.

    A host without a port stands for the default port of the origin's scheme: behind a proxy that ends TLS, the server
    does not know the scheme.
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
    """``same_origin`` for a websocket's handshake: a script can't set its headers, so more of them are trusted."""
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
    """Whether the origin matches a pattern of the allow list: ``host``, ``host:port``, or ``*`` for any part or all.

    An origin without a port counts as port 80, whatever its scheme, as in ``bokeh serve``.
    """
    host = host_of(origin)
    name, port = _split(host)
    return any(pattern == "*" or (bool(name) and _matches(name, port or "80", pattern)) for pattern in patterns)


def pattern_of(entry: str) -> str:
    """An entry of the allow list as a pattern for ``allowed``: without a port it stands for port 80."""
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
