"""Decides which cookies a browser stores and sends (RFC 6265bis), and why it drops the others.

``http.cookiejar`` does not say why it drops a cookie, and sends cookies that browsers drop: ``SameSite=None`` without
``Secure``, ``__Host-`` with a path, and ``Secure`` received over http.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ..base.addresses import is_local_host, parse_address
from .urls import Url


class Loss(Enum):
    """Why the app does not get a cookie."""

    INSECURE = "insecure"
    """``Secure``, but set over http by another machine than this one."""
    SAME_SITE = "samesite"
    """``SameSite=None`` without ``Secure``."""
    DOMAIN = "domain"
    PREFIX = "prefix"
    """Its name begins with ``__Host-`` or ``__Secure-``, but it lacks the attributes that this requires."""
    PATH = "path"
    """Stored, but not sent to the app's path."""
    LAX = "lax"
    """Not ``SameSite=None``, and the page that embeds the app is of another site."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A ``Set-Cookie`` header."""

    name: str
    value: str
    attributes: Mapping[str, str]
    """By names in lower case."""

    def get(self, name: str) -> str:
        """The attribute of this name, or an empty string."""
        return self.attributes.get(name, "")

    @property
    def is_secure(self) -> bool:
        """Whether it has ``Secure``."""
        return "secure" in self.attributes

    @property
    def is_for_all_sites(self) -> bool:
        """Whether it has ``SameSite=None``; without ``SameSite``, Chromium takes ``Lax``."""
        return self.get("samesite").lower() == "none"

    @property
    def deletes(self) -> bool:
        """Whether it removes a cookie."""
        return self.get("max-age") == "0" or "1970" in self.get("expires")


def parse_cookie(header: str) -> Cookie | None:
    """Parse a ``Set-Cookie``; ``None`` if browsers ignore it."""
    first, *rest = header[:8192].split(";")
    name, equals, value = first.partition("=")
    if not equals or not name.strip():
        return None
    pairs = (part.partition("=") for part in rest)
    return Cookie(name.strip(), value.strip(), {key.strip().lower(): to.strip() for key, _, to in pairs})


def loss_of(cookie: Cookie, set_by: Url, app: Url, page: Url | None = None) -> Loss | None:
    """Why the app does not get a cookie that ``set_by`` has set; ``None`` if it does. ``page`` embeds the app."""
    domain, path = cookie.get("domain").lower().lstrip("."), cookie.get("path")
    if cookie.is_secure and not set_by.is_secure and not is_local_host(set_by.host):
        return Loss.INSECURE
    if cookie.is_for_all_sites and not cookie.is_secure:
        return Loss.SAME_SITE
    if cookie.name.startswith("__Host-") and (not cookie.is_secure or domain or path != "/"):
        return Loss.PREFIX
    if cookie.name.startswith("__Secure-") and not cookie.is_secure:
        return Loss.PREFIX
    if domain and not _covers_domain(domain, set_by.host):
        return Loss.DOMAIN
    if path.startswith("/") and not covers_path(path, app.path):
        return Loss.PATH
    if page is not None and not cookie.is_for_all_sites and not is_same_site(page, app):
        return Loss.LAX
    return None


def is_same_site(one: Url, other: Url) -> bool:
    """Whether two addresses have one scheme, and one host or registered domain.

    Without a list of public suffixes, two names under ``co.uk`` count as one domain: a loss may go unnoticed, but none
    is made up.
    """
    if one.scheme != other.scheme or parse_address(one.host) or parse_address(other.host):
        return (one.scheme, one.host) == (other.scheme, other.host)
    return one.host.split(".")[-2:] == other.host.split(".")[-2:]


def cookie_header(cookies: Iterable[tuple[Cookie, Url]], to: Url) -> str:
    """The value of ``Cookie`` that a browser sends to an address; each cookie comes with the address that set it."""
    kept = {cookie.name: cookie.value for cookie, origin in cookies
            if origin.host == to.host and not cookie.deletes and _is_sent(cookie, origin, to)}
    return "; ".join(f"{name}={value}" for name, value in kept.items())


def _is_sent(cookie: Cookie, set_by: Url, to: Url) -> bool:
    if cookie.is_secure and not to.is_secure:
        return False
    path = cookie.get("path")
    default = set_by.path.rpartition("/")[0] or "/"
    return loss_of(cookie, set_by, to) is None and covers_path(path if path.startswith("/") else default, to.path)


def covers_path(path: str, of: str) -> bool:
    """Whether a cookie for ``path`` is sent to the path ``of`` (RFC 6265, 5.1.4)."""
    return of == path or (of.startswith(path) and (path.endswith("/") or of[len(path):].startswith("/")))


def _covers_domain(domain: str, host: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
