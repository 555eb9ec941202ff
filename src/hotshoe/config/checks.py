"""What a text must look like for some settings. Each check returns what is wrong, or ``None``."""

from __future__ import annotations

import logging
import re
from ipaddress import ip_network

from ..log_fields import AddFields

_ORIGIN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\s\[\]]+)(:(?P<port>\*|\d+))?")

_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


def check_origin(text: str) -> str | None:
    """``HOST[:PORT]``, an IPv6 address in brackets."""
    if "://" in text:
        return f"{text!r} is a URL: name only its host and port, {text.partition('://')[2].split('/')[0]!r}"
    match = _ORIGIN.fullmatch(text)
    if match is None or ((match["port"] or "*") != "*" and int(match["port"]) > 65535):
        return f"{text!r} is not HOST or HOST:PORT"
    return None


def check_prefix(text: str) -> str | None:
    """A path: no query, no fragment, no white space, no step up."""
    if re.search(r"[?#\s\\]|://", text) or ".." in text.split("/"):
        return f"{text!r} is not a path like /apps"
    return None


def check_network(text: str) -> str | None:
    """An address, or a network as address and length."""
    try:
        ip_network(text)
    except ValueError as error:
        return f"{text!r} is not an address or a network like 10.0.0.0/8 ({error})"
    return None


def check_mode(text: str) -> str | None:
    """The permissions of a file in octal digits; its owner must be able to use it."""
    if not re.fullmatch("0?[67][0-7]{2}", text):
        return f"{text!r} is not a mode like 600 or 660"
    return None


def check_ico_path(text: str) -> str | None:
    """``default``, ``none``, or a file of icons."""
    if text.lower() in ("default", "default-dev", "none") or text.lower().endswith(".ico"):
        return None
    return f"{text!r} is not default, none or the path of an .ico file"


def check_log_format(text: str) -> str | None:
    """A ``%``-format that ``logging`` accepts and can fill."""
    record = logging.LogRecord("name", logging.INFO, "path", 1, "message", (), None)
    AddFields().filter(record)
    try:
        logging.Formatter(text).format(record)
    except (ValueError, TypeError, KeyError) as error:
        return f"{text!r} is not a format of Python's logging ({error})"
    return None


def session_ids_of(sign: str) -> str:
    """What ``BOKEH_SIGN_SESSIONS`` says, as a value of ``--session-ids``: a yes or a no, or it is none."""
    return {**dict.fromkeys(_YES, "signed"), **dict.fromkeys(_NO, "unsigned")}.get(sign.strip().lower(), sign)


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
    if parts.scheme == "http" and not _is_local(parts.hostname):
        return f"{text!r} is not https: whoever listens on the way could log in as anybody"
    return None


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
