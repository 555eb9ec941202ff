"""URLs as a browser reads them, and their parts for lines of configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

from ..base.addresses import is_local_host, parse_address

_DEFAULT_PORT = {"http": 80, "https": 443}
_MAX_LENGTH = 4096
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)", re.IGNORECASE)
_UNQUOTED = re.compile(r"[A-Za-z0-9._~:@/\[\]-]+")
"""Needs no quotes in any configuration; other characters could end a line of it."""


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL without a fragment, in parts."""

    scheme: str
    host: str
    """A name or an address in lower case; IPv6 without brackets."""
    port: int
    path: str = "/"
    """Begins with a slash; percent-encoded."""
    query: str = ""

    @classmethod
    def of(cls, url: str) -> Url:
        """Parse a URL. Raises ``ValueError``, whose text says why no request can be sent to it."""
        if len(url) > _MAX_LENGTH:
            raise ValueError("it is too long")
        parts = urlsplit(url.strip())
        if parts.scheme not in _DEFAULT_PORT:
            raise ValueError("it must begin with http:// or https://")
        if parts.username is not None:
            raise ValueError("it contains a user name; give credentials with --header")
        if not parts.hostname:
            raise ValueError("it has no host")
        try:
            host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
            port = parts.port
        except (ValueError, UnicodeError):
            raise ValueError("its host or port is invalid") from None
        if not _HOST.fullmatch(host):
            raise ValueError("its host contains invalid characters")
        if port == 0:
            raise ValueError("port 0 does not exist")
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/"
        query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]{}|")
        return cls(parts.scheme, host, port or _DEFAULT_PORT[parts.scheme], path, query)

    @classmethod
    def typed(cls, text: str) -> Url:
        """Parse what a user typed. Without a scheme it is https, or http for this machine."""
        if not _SCHEME.match(text):
            text = f"{'http' if _LOCAL.match(text) else 'https'}://{text}"
        return cls.of(text)

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def netloc(self) -> str:
        """The host, and the port unless it is the scheme's default, as in the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and host, as in the ``Origin`` header."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def target(self) -> str:
        """Path and query, as in the first line of a request."""
        return self.path + (f"?{self.query}" if self.query else "")

    @property
    def app_path(self) -> str:
        """The path without slashes at its end: BokehJS appends ``/ws`` to it."""
        return self.path.rstrip("/")

    def join(self, reference: str) -> Url:
        """Resolve a reference on this page. Raises ``ValueError`` if it does not lead to http or https."""
        return Url.of(urljoin(str(self), reference.strip()).partition("#")[0])

    def below(self, name: str, query: str = "") -> Url:
        """The address of ``name`` below the app at this address."""
        return replace(self, path=f"{self.app_path}/{name}", query=query)

    def __str__(self) -> str:
        return self.origin + self.target


def facts_of(app: Url, **more: str) -> dict[str, str]:
    """``name``, ``host`` (with a port), ``origin``, ``app`` (its path), ``prefix`` (the path above it), and ``more``.

    A value that would need quotes is replaced by a name for the reader to fill in, such as ``YOUR-PREFIX``.
    """
    prefix = app.app_path.rpartition("/")[0] + "/"
    facts = {"name": app.host, "host": app.netloc, "origin": app.origin, "app": app.app_path or "/", "prefix": prefix,
             "bare_prefix": prefix.rstrip("/"), **more}
    return {key: value if not value or _UNQUOTED.fullmatch(value) else f"YOUR-{key.upper().replace('_', '-')}"
            for key, value in facts.items()}


def is_inner(host: str) -> bool:
    """Whether most visitors can't reach a host: it is this machine, or in a private network."""
    if is_local_host(host) or ("." not in host.strip("[]") and ":" not in host):
        return True
    address = parse_address(host)
    return host.endswith((".local", ".internal", ".svc")) if address is None else address.is_private
