"""What a text must look like for the settings of login. Each check returns what is wrong, or ``None``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..loopback import is_local_host


def check_issuer(text: str) -> str | None:
    """The name of a provider that needs no URL, or a URL."""
    return None if text in ("github", "google", "microsoft") else check_provider_url(text)


def check_provider_url(text: str) -> str | None:
    """What tokens and keys may come from: https, or this machine."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return f"{text!r} is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\\]", text):
        return f"{text!r} is not a URL like https://login.example.org"
    if parts.scheme == "http" and not is_local_host(parts.hostname):
        return f"{text!r} is not https: whoever listens on the way could log in as anybody"
    return None


def check_redirect_url(text: str) -> str | None:
    """An absolute URL of the page that a provider sends users back to."""
    if not re.fullmatch(r"https?://[^/?#\s\\]+(/[^?#\s\\]*)?/login-callback", text):
        return f"{text!r} is not a URL like https://example.org/login-callback"
    return None


def check_place(text: str) -> str | None:
    """A URL, or an absolute path."""
    if not re.fullmatch(r"(https?://[^/\s\\]+|/(?![/\\]))\S*", text):
        return f"{text!r} is not a URL or a path like /oauth2/sign_out"
    return None


def check_header(text: str) -> str | None:
    """The name of an HTTP header (RFC 9110, section 5.6.2)."""
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):
        return f"{text!r} is not the name of a header, like X-Forwarded-User"
    return None


def check_tenant(text: str) -> str | None:
    """One tenant of Microsoft: with its names for several, anybody could log in."""
    if text in ("common", "organizations", "consumers"):
        return f"{text!r} lets users of every tenant in: name yours by its id or domain"
    if not re.fullmatch(r"[A-Za-z0-9.-]+", text):
        return f"{text!r} is not the id or domain of a tenant"
    return None


def check_allow(text: str) -> str | None:
    """``APP=WHO,…``."""
    app, equals, who = text.partition("=")
    if not app.strip() or not equals or not any(name.strip() not in ("", "@") for name in who.split(",")):
        return f"{text!r} does not say who may open which app, like sales=staff,@alice"
    return None
