"""Checks values for configurations. Each function returns the value in its usual form, or raises ``ConfigError``.

The values go into configurations of eleven languages, so they contain no character with a meaning in any of them: no
white space, quote, semicolon, brace, dollar, percent, hash or backslash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address, ip_network
from itertools import chain, product, zip_longest
from typing import NoReturn

from ..base.addresses import is_local_host, parse_address
from ..base.errors import ConfigError
from ..http.paths import normalized_prefix, segments

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_.~-]+)+")
_PLAIN = re.compile(r"[A-Za-z0-9_./+@:=,*-]+")
_MAX_PARTS = 5
"""Header names with up to 5 parts get all spellings with - and _; longer ones only those with one of the two."""
_MAX_SHOWN = 60
"""Characters of a wrong value in an error; it may be a whole file."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address with a port, or a Unix socket, where a program listens."""

    host: str = ""
    """A name or an address, IPv6 without brackets; empty for all addresses of the machine."""
    port: int = 0
    socket: str | None = None

    @property
    def authority(self) -> str:
        """``HOST:PORT``, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_near(self) -> bool:
        """Whether it is certainly on this machine."""
        return self.socket is not None or is_local_host(self.host)


def _matching(pattern: str, meant: str, option: str, text: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        _refuse(option, text, meant)
    return text


path = partial(_matching, r"(?!-)[A-Za-z0-9_./+@-]+", "a path of letters, digits and _ . - + @ / only")
"""The path of a file or folder, absolute or not. Like the next ones, it takes the name of the option, and the text."""
module = partial(_matching, r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?",
                 "MODULE:ATTRIBUTE, like site:app")
"""``module:attribute``."""
user = partial(_matching, "[A-Za-z_][A-Za-z0-9_-]{0,31}", "the name of a user")
"""The name of a system user or group."""
name = partial(_matching, "[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", "a name of lower-case letters, digits and hyphens")
"""The name of a deployment, which is in all files."""
image = partial(_matching, r"[a-z0-9][a-z0-9._-]*(?::[0-9]{1,5})?(?:/[a-z0-9._-]+)*"
                r"(?::[A-Za-z0-9_.-]{1,128})?(?:@sha256:[0-9a-f]{64})?", "an image like registry.example.org/apps:1.2")
"""A reference to a container image."""
header = partial(_matching, "[A-Za-z][A-Za-z0-9_-]{0,63}",
                 "the name of a header, of letters, digits, hyphens and underscores only")
"""The name of an HTTP header."""


def domain(text: str) -> str:
    """A host name or an IPv4 address. Names outside ASCII are returned as browsers send them (IDNA)."""
    name = text.strip().rstrip(".").lower()
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _DOMAIN.fullmatch(name):
        _refuse("--domain", text, "a name like apps.example.org")
    return name


def is_address(text: str) -> bool:
    """Whether a domain is an IP address."""
    return parse_address(text) is not None


def absolute(option: str, text: str) -> str:
    """The absolute path of a file or folder."""
    if not path(option, text).startswith("/"):
        _refuse(option, text, "an absolute path, which other programs need")
    return text


def prefix(text: str) -> str:
    """``apps/`` → ``/apps``; an empty string stays empty."""
    found = normalized_prefix(text)
    if found and (not _PREFIX.fullmatch(found) or {".", ".."} & set(segments(found))):
        _refuse("--prefix", text, "a path like /apps, of letters, digits and _ . - ~ only")
    return found


def network(option: str, text: str) -> str:
    """An address or network."""
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        _refuse(option, text, "an address or a network like 10.0.0.0/8")


def spellings(name: str) -> tuple[str, ...]:
    """All names that a site may confuse with this header: WSGI does not distinguish hyphens from underscores."""
    parts = re.split("[-_]", name)
    joints = product("-_", repeat=len(parts) - 1) if len(parts) <= _MAX_PARTS else ("-" * len(parts), "_" * len(parts))
    made = ["".join(chain.from_iterable(zip_longest(parts, marks[:len(parts) - 1], fillvalue=""))) for marks in joints]
    return tuple(dict.fromkeys((name, *made)))


def plain(option: str, text: str) -> str:
    """Any other value, as one word that has no special meaning for a shell or a configuration."""
    if not _PLAIN.fullmatch(text):
        raise ConfigError(f"{option}: {_shorten(text)} has characters that some configurations don't allow; set it in "
                          "hotshoe.toml instead")
    return text


def upstream(text: str) -> Endpoint:
    """``HOST:PORT``, ``[IPv6]:PORT`` or ``unix:/path``."""
    if text.startswith("unix:"):
        return Endpoint(socket=absolute("--upstream", text.removeprefix("unix:")))
    endpoint = _endpoint("--upstream", text)
    if not endpoint.host:
        _refuse("--upstream", text, "HOST:PORT or unix:/path")
    return endpoint


def listen(option: str, text: str) -> Endpoint:
    """``PORT``, or ``ADDRESS:PORT``."""
    return Endpoint(port=_port(option, text)) if text.isdecimal() else _endpoint(option, text)


def _endpoint(option: str, text: str) -> Endpoint:
    host, colon, port = text.rpartition(":")
    if not colon:
        _refuse(option, text, "HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        try:
            return Endpoint(str(IPv6Address(host[1:-1])), _port(option, port))
        except ValueError:
            _refuse(option, text, "[ADDRESS]:PORT")
    if host and not _DOMAIN.fullmatch(host.lower()):
        _refuse(option, text, "HOST:PORT")
    # For localhost a proxy may find two addresses, but hotshoe listens on one of them only.
    return Endpoint("127.0.0.1" if host == "localhost" else host.lower(), _port(option, port))


def _port(option: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= 65535:
        _refuse(option, text, "a port from 1 to 65535")
    return int(text)


def _refuse(option: str, text: str, meant: str) -> NoReturn:
    raise ConfigError(f"{option}: {_shorten(text)} is not {meant}")


def _shorten(text: str) -> str:
    return ascii(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")
