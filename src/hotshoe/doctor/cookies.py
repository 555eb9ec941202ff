"""Cookies, as a browser takes them (RFC 6265bis): which are kept, which are sent, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from .addresses import Address


class Loss(Enum):
    """Why a browser does not have a cookie when the app needs it."""

    INSECURE = "insecure"
    """``Secure``, and set over http."""
    SAME_SITE = "samesite"
    """``SameSite=None`` without ``Secure``."""
    DOMAIN = "domain"
    PREFIX = "prefix"
    """Its name begins with ``__Host-`` or ``__Secure-`` and it is not as that demands."""
    PATH = "path"
    """It is kept, and not sent to the app."""
    LAX = "lax"
    """It is kept, and not sent to an app in a page of another site."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A ``Set-Cookie`` header."""

    name: str
    value: str
    attributes: tuple[tuple[str, str], ...] = ()
    """Names in lower case."""

    def get(self, name: str) -> str | None:
        """The last attribute of this name; ``None`` without."""
        return dict(self.attributes).get(name)

    @property
    def deletes(self) -> bool:
        """Whether it takes a cookie away."""
        return self.get("max-age") == "0" or "1970" in (self.get("expires") or "")


def parse_cookie(header: str) -> Cookie | None:
    """Read a ``Set-Cookie``; ``None`` if browsers ignore it."""
    first, *rest = header[:8192].split(";")
    name, equals, value = first.partition("=")
    if not equals or not name.strip():
        return None
    pairs = (part.partition("=") for part in rest)
    return Cookie(name.strip(), value.strip(), tuple((key.strip().lower(), to.strip()) for key, _, to in pairs))


def loss_of(cookie: Cookie, set_by: Address, app: Address, *, is_local: bool = False) -> Loss | None:
    """Why the app does not get a cookie that ``set_by`` has set; ``None`` if it does.

    ``is_local``: a browser takes ``Secure`` cookies of this machine over http, too.
    """
    secure = cookie.get("secure") is not None
    domain = (cookie.get("domain") or "").lower().lstrip(".")
    path = cookie.get("path") or ""
    if secure and not set_by.is_secure and not is_local:
        return Loss.INSECURE
    if (cookie.get("samesite") or "").lower() == "none" and not secure:
        return Loss.SAME_SITE
    if cookie.name.startswith("__Host-") and (not secure or domain or path != "/"):
        return Loss.PREFIX
    if cookie.name.startswith("__Secure-") and not secure:
        return Loss.PREFIX
    if domain and not _covers_domain(domain, set_by.host):
        return Loss.DOMAIN
    if path.startswith("/") and not covers_path(path, app.path):
        return Loss.PATH
    return None


def sent(cookies: Iterable[tuple[Cookie, Address]], to: Address) -> str:
    """The value of ``Cookie`` that a browser sends to an address; each with where it was set."""
    kept = {cookie.name: cookie.value for cookie, origin in cookies
            if origin.host == to.host and not cookie.deletes and _is_sent(cookie, origin, to)}
    return "; ".join(f"{name}={value}" for name, value in kept.items())


def _is_sent(cookie: Cookie, set_by: Address, to: Address) -> bool:
    if cookie.get("secure") is not None and not to.is_secure:
        return False
    path = cookie.get("path") or ""
    default = set_by.path.rpartition("/")[0] or "/"
    return loss_of(cookie, set_by, to) is None and covers_path(path if path.startswith("/") else default, to.path)


def covers_path(path: str, of: str) -> bool:
    """RFC 6265, 5.1.4."""
    return of == path or (of.startswith(path) and (path.endswith("/") or of[len(path):].startswith("/")))


def _covers_domain(domain: str, host: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
