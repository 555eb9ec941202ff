"""Addresses, taken apart once: what a browser makes of a URL, and of a reference on a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

_DEFAULT_PORT = {"http": 80, "https": 443}
_LONGEST = 4096
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https URL without a fragment."""

    scheme: str
    host: str
    """A name or an address in lower case, IPv6 without brackets."""
    port: int
    path: str = "/"
    """Begins with a slash, percent-encoded."""
    query: str = ""

    @classmethod
    def of(cls, url: str) -> Address:
        """Take a URL apart. Raises ``ValueError`` for what no request can be sent to; its text says why."""
        if len(url) > _LONGEST:
            raise ValueError("it is too long")
        parts = urlsplit(url.strip())
        if parts.scheme not in _DEFAULT_PORT:
            raise ValueError("it has to begin with http:// or https://")
        if parts.username is not None:
            raise ValueError("it has a user's name in it; give credentials with --header")
        if not parts.hostname:
            raise ValueError("it has no host")
        try:
            host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
            port = parts.port
        except (ValueError, UnicodeError):
            raise ValueError("its host or port can't be right") from None
        if not _HOST.fullmatch(host):
            raise ValueError("its host has characters that no host has")
        if port == 0:
            raise ValueError("there is no port 0")
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/"
        query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]{}|")
        return cls(parts.scheme, host, port or _DEFAULT_PORT[parts.scheme], path, query)

    @classmethod
    def typed(cls, text: str) -> Address:
        """What somebody has typed, maybe without a scheme: then https, or http for this machine."""
        if not _WORD.match(text):
            text = f"{'http' if _LOCAL.match(text) else 'https'}://{text}"
        return cls.of(text)

    @property
    def is_secure(self) -> bool:
        """Whether it is https."""
        return self.scheme == "https"

    @property
    def netloc(self) -> str:
        """Host, and port if it is not the scheme's own, as ``Host`` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and host, as ``Origin`` has it."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def target(self) -> str:
        """What stands in the request's first line."""
        return self.path + (f"?{self.query}" if self.query else "")

    @property
    def app_path(self) -> str:
        """The path without slashes at its end, as BokehJS puts ``/ws`` behind it."""
        return self.path.rstrip("/")

    def join(self, reference: str) -> Address:
        """Where a reference on this page leads. Raises ``ValueError`` if that is no http."""
        return Address.of(urljoin(str(self), reference.strip()).partition("#")[0])

    def below(self, name: str, query: str = "") -> Address:
        """The address of ``name`` below the app that is at this address."""
        return replace(self, path=f"{self.app_path}/{name}", query=query)

    def __str__(self) -> str:
        return self.origin + self.target
