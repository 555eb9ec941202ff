"""Types of settings that are texts of some form. A type has a pattern, or a function that returns what is wrong with
a text, or ``None``.

In ``--help`` the ``title`` of a type stands for a value. Its ``description`` says in words which values are allowed.
"""

from __future__ import annotations

import logging
import re
from ipaddress import ip_network
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta

from ..base.addresses import is_local_host, parse_address
from ..base.logs import AddFields

_ORIGIN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\s\[\]]+)(:(?P<port>\*|\d+))?")
_ALLOWED_HOST = re.compile(
    r"(\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(\*?\.)?(?P<name>[\w-]+(\.[\w-]+)*)\.?)(:(?P<port>[0-9]{1,5}))?")


def _text(title: str, description: str, pattern: str) -> Meta:
    return Meta(title=title, description=description, pattern=rf"\A(?s:{pattern})\Z")


def check_origin(text: str) -> str | None:
    """``HOST[:PORT]``, an IPv6 address in brackets."""
    if "://" in text:
        return f"{text!r} is a URL: name only its host and port, {text.partition('://')[2].split('/')[0]!r}"
    match = _ORIGIN.fullmatch(text)
    if match is None or ((match["port"] or "*") != "*" and int(match["port"]) > 65535):
        return f"{text!r} is not HOST or HOST:PORT"
    return None


def check_allowed_host(text: str) -> str | None:
    """A name, perhaps with those below it, or an address; and perhaps a port."""
    if "://" in text:
        return check_origin(text)
    if text == "*":
        return "'*' would allow every host: leave the option out"
    match = _ALLOWED_HOST.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535 or (match["ipv6"] and parse_address(match["ipv6"]) is None):
        return f"{text!r} is not NAME, .NAME, *.NAME or an address (IPv6 in brackets), with or without :PORT"
    if not text.isascii():
        return f"{text!r} has other letters than browsers send: write {_idna(match['name'])!r}"
    return None


def _idna(name: str) -> str:
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return "xn--..."


def check_network(text: str) -> str | None:
    """An address, or a network as address and length."""
    try:
        ip_network(text)
    except ValueError as error:
        return f"{text!r} is not an address or a network like 10.0.0.0/8 ({error})"
    return None


def check_log_format(text: str) -> str | None:
    """A ``%``-format that ``logging`` accepts and can fill."""
    record = logging.LogRecord("name", logging.INFO, "path", 1, "message", (), None)
    AddFields().filter(record)
    try:
        logging.Formatter(text).format(record)
    except (ValueError, TypeError, KeyError) as error:
        return f"{text!r} is not a format of Python's logging ({error})"
    return None


def check_issuer(text: str) -> str | None:
    """A URL, or the name of a provider whose URL is known."""
    return None if text in ("github", "google", "microsoft") else check_provider_url(text)


def check_provider_url(text: str) -> str | None:
    """A URL that tokens and keys may come from: https, or this machine."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return f"{text!r} is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\\]", text):
        return f"{text!r} is not a URL like https://login.example.org"
    if parts.scheme == "http" and not is_local_host(parts.hostname):
        return f"{text!r} is not https: anybody on the network path could log in as any user"
    return None


FileName: TypeAlias = Annotated[str, Meta(title="FILE", description="the path of a file")]
Origin: TypeAlias = Annotated[str, Meta(title="HOST[:PORT]", description="HOST or HOST:PORT"), check_origin]
AllowedHost: TypeAlias = Annotated[
    str, Meta(title="HOST[:PORT]", description="a name like example.org or .example.org"), check_allowed_host]
Network: TypeAlias = Annotated[
    str, Meta(title="ADDRESS", description="an address or a network like 10.0.0.0/8"), check_network]
LogFormat: TypeAlias = Annotated[
    str, Meta(title="FORMAT", description="a format of Python's logging"), check_log_format]
Issuer: TypeAlias = Annotated[
    str, Meta(title="URL|NAME", description="github, google, microsoft or a URL like https://login.example.org"),
    check_issuer]
FileMode: TypeAlias = Annotated[str, _text("MODE", "a mode like 600 or 660", "0?[67][0-7]{2}")]
PathPrefix: TypeAlias = Annotated[str, _text(
    "PREFIX", "a path like /apps", r"(?!.*://)(?!(.*/)?\.\.(/|$))[^?#\s\\]*")]
SiteName: TypeAlias = Annotated[str, _text(
    "MODULE:APP", "MODULE:APP, such as site:app", r"[^\W\d][\w.]*:[^\W\d][\w.]*(\(\))?")]
Icon: TypeAlias = Annotated[str, _text(
    "FILE", "default, none or the path of an .ico file", r"(?i:default|default-dev|none|.*\.ico)")]
FrameAncestor: TypeAlias = Annotated[str, _text(
    "SITE", "self, none or a site like https://example.org",
    r"'self'|'none'|https?:|((https?)://)?(\*\.)?[A-Za-z0-9.-]+(:(\d+|\*))?")]
RedirectUrl: TypeAlias = Annotated[str, _text(
    "URL", "a URL like https://example.org/login-callback", r"https?://[^/?#\s\\]+(/[^?#\s\\]*)?/login-callback")]
UrlOrPath: TypeAlias = Annotated[str, _text(
    "URL", "a URL or a path like /oauth2/sign_out", r"(https?://[^/\s\\]+|/(?![/\\]))\S*")]
HeaderName: TypeAlias = Annotated[str, _text(  # RFC 9110, section 5.6.2
    "NAME", "the name of a header, like X-Forwarded-User", r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")]
Separator: TypeAlias = Annotated[str, _text("TEXT", "a text of up to 8 characters, like ;", r"[\x20-\x7e]{1,8}")]
Tenant: TypeAlias = Annotated[str, _text(
    "TENANT", "the id or domain of one tenant; with common, organizations or consumers anybody could log in",
    "(?!(common|organizations|consumers)$)[A-Za-z0-9.-]+")]
AccessRule: TypeAlias = Annotated[str, _text(
    "APP=WHO[,WHO ...]", "a rule of who may open which app, like sales=staff,@alice",
    r"\s*[^=\s][^=]*=(.*,)?(?!\s*@?\s*(,|$)).+")]
AppThread: TypeAlias = Annotated[str, _text(
    "[APP=]THREAD", "pool, own or loop, or such a value for one app, like sales=own",
    r"([^=\s][^=]*=|\*=)?\s*(pool|own|loop)")]
AppSwitch: TypeAlias = Annotated[str, _text(
    "[APP=]YES|NO", "yes or no, or such a value for one app, like sales=no", r"([^=\s][^=]*=|\*=)?\s*(yes|no)")]
