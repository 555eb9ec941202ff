"""Checks the host name of requests: a server answers to its own names only.

With ``--allowed-hosts``, these are the names in the list. Otherwise a server that only this machine can reach, without
a proxy, answers to names of this machine: a foreign site could make a local browser send requests by a name of its own
(DNS rebinding). All other servers answer to any name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...base.addresses import is_local_host, parse_address
from ...base.logs import PacedLog
from ...http.requests import header
from ...http.scopes import Scope

_log = PacedLog(logging.getLogger(__name__))

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::([0-9]{1,5}))?")
"""A ``Host`` in lower case. Nothing else is a name: apps build URLs of it, and ``own.example:80@evil.example`` in a URL
is ``evil.example``."""
_DEFAULT_PORTS = ("80", "443")
_LONGEST = 300
"""Most characters of a client's header that go into a log line."""


class HostNames:
    """The names of a server: those that are ``allowed``; of this machine if ``only_local``; else all."""

    def __init__(self, allowed: Iterable[str] = (), *, only_local: bool = False) -> None:
        self._allowed = tuple(map(_Pattern.of, allowed))
        self._only_local = only_local

    def is_misnamed(self, scope: Scope) -> bool:
        """Whether the request's ``Host`` can't be a name of this server."""
        if self._allowed:
            name, port = _split(header(scope, b"host") or "")
            return not (name and any(pattern.matches(name, port) for pattern in self._allowed))
        return self._only_local and not is_local_name(header(scope, b"host") or "")

    def log_misnamed(self, scope: Scope) -> str:
        """Log a request that is misnamed; return the text for its response."""
        host = (header(scope, b"host") or "")[:_LONGEST]
        if self._allowed:
            text = (f"The request's Host is {host!r}, which --allowed-hosts does not name. If it is a name of this "
                    "server, add it there. Behind a proxy, have it pass Host on, or start the server with "
                    "--use-xheaders.")
        else:
            name = host if host and host.isascii() else "HOST"
            text = (f"The server listens on this machine only, but the request's Host is {host!r}. Behind a proxy, "
                    "have it pass Host on, or start the server with --use-xheaders; else allow the name with "
                    f"--allow-websocket-origin={name}.")
        _log.warning("Refusing a request: %s", text)
        return text


def is_local_name(host: str) -> bool:
    """Whether a ``Host`` means this machine itself: ``localhost``, a name below it, or a loopback address."""
    return is_local_host(_split(host)[0])


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An entry of ``--allowed-hosts``."""

    name: str
    port: str = ""
    """Empty for any port."""
    is_allowed: bool = True
    """Whether the name itself is allowed; otherwise only names below it."""
    allows_below: bool = False

    @classmethod
    def of(cls, entry: str) -> _Pattern:
        below = entry.removeprefix("*").startswith(".")
        name, port = _split(entry.removeprefix("*").removeprefix("."))
        return cls(name, port, not entry.startswith("*"), below)

    def matches(self, name: str, port: str) -> bool:
        is_named = self.is_allowed and name == self.name
        is_port = not self.port or port == self.port or (not port and self.port in _DEFAULT_PORTS)
        return is_port and (is_named or (self.allows_below and name.endswith(f".{self.name}")))


def _split(host: str) -> tuple[str, str]:
    """Name and port of a ``Host``, in one spelling: without the root's dot, addresses in their usual form.

    Two empty texts for what is no ``Host``.
    """
    match = _HOST.fullmatch(host.strip().lower())
    if match is None:
        return "", ""
    name = match[1] or match[2]
    address = parse_address(name)
    return name if address is None else str(address), match[3] or ""
