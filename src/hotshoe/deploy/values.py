"""What may stand in a configuration. Each function returns the value in its usual form, or raises ``ConfigError``.

Configurations of eleven languages are made of these values, so they may have no character that means anything in any
of them: no white space, quote, semicolon, brace, dollar, percent, hash, backslash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import chain, product, zip_longest
from typing import NoReturn

from ..errors import ConfigError

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATH = re.compile(r"[A-Za-z0-9_./+@-]+")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_.~-]+)+")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?", re.ASCII)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._-]*(?::[0-9]{1,5})?(?:/[a-z0-9._-]+)*"
                    r"(?::[A-Za-z0-9_.-]{1,128})?(?:@sha256:[0-9a-f]{64})?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_PLAIN = re.compile(r"[A-Za-z0-9_./+@:=,*-]+")
_MOST_PARTS = 5
"""Of a header's name whose spellings are all written down; of longer ones, those with one kind of joint."""
_LONGEST = 60
"""Of what is shown of a wrong value; it may be a whole file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something listens: an address and a port, or a Unix socket."""

    host: str = ""
    """A name or an address, IPv6 without brackets; empty for all of the machine's."""
    port: int = 0
    socket: str | None = None

    @property
    def authority(self) -> str:
        """``HOST:PORT``, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine for sure."""
        if self.socket is not None or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def domain(text: str) -> str:
    """A name of a host, or an address of IPv4. Others than ASCII are written as browsers send them (IDNA)."""
    name = text.strip().rstrip(".").lower()
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _DOMAIN.fullmatch(name):
        _refuse("--domain", text, "a name like apps.example.org")
    return name


def is_address(text: str) -> bool:
    """Whether what stands for a domain is an address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def path(option: str, text: str) -> str:
    """The path of a file or folder, absolute or not."""
    if not _PATH.fullmatch(text) or text.startswith("-"):
        _refuse(option, text, "a path of letters, digits and _ . - + @ / only")
    return text


def absolute(option: str, text: str) -> str:
    """The absolute path of a file or folder."""
    if not path(option, text).startswith("/"):
        _refuse(option, text, "an absolute path, as other programs know no current directory")
    return text


def prefix(text: str) -> str:
    """``apps/`` → ``/apps``; nothing → the empty string."""
    stripped = text.strip("/")
    if stripped and (not _PREFIX.fullmatch(f"/{stripped}") or {".", ".."} & set(stripped.split("/"))):
        _refuse("--prefix", text, "a path like /apps, of letters, digits and _ . - ~ only")
    return f"/{stripped}" if stripped else ""


def module(option: str, text: str) -> str:
    """``module:attribute``."""
    if not _MODULE.fullmatch(text):
        _refuse(option, text, "MODULE:ATTRIBUTE, like site:app")
    return text


def user(option: str, text: str) -> str:
    """The name of a user or group of the system."""
    if not _USER.fullmatch(text):
        _refuse(option, text, "the name of a user")
    return text


def name(text: str) -> str:
    """What a deployment is called in all files."""
    if not _NAME.fullmatch(text):
        _refuse("--name", text, "a name of small letters, digits and hyphens")
    return text


def image(text: str) -> str:
    """A reference to a container's image."""
    if not _IMAGE.fullmatch(text):
        _refuse("--image", text, "an image like registry.example.org/apps:1.2")
    return text


def network(option: str, text: str) -> str:
    """An address or network."""
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        _refuse(option, text, "an address or a network like 10.0.0.0/8")


def header(option: str, text: str) -> str:
    """The name of an HTTP header."""
    if not _HEADER.fullmatch(text):
        _refuse(option, text, "the name of a header, of letters, digits, hyphens and underscores only")
    return text


def spellings(name: str) -> tuple[str, ...]:
    """Names of headers that a site may take for this one: WSGI does not tell hyphens from underscores."""
    parts = re.split("[-_]", name)
    joints = product("-_", repeat=len(parts) - 1) if len(parts) <= _MOST_PARTS else ("-" * len(parts), "_" * len(parts))
    made = ["".join(chain.from_iterable(zip_longest(parts, marks[:len(parts) - 1], fillvalue=""))) for marks in joints]
    return tuple(dict.fromkeys((name, *made)))


def plain(option: str, text: str) -> str:
    """Any other value, as a word of a command that no shell and no configuration reads in a way of its own."""
    if not _PLAIN.fullmatch(text):
        raise ConfigError(f"{option}: {_shown(text)} can't stand in every configuration; set it in hotshoe.toml "
                          "instead")
    return text


def upstream(text: str) -> Place:
    """``HOST:PORT``, ``[IPv6]:PORT`` or ``unix:/path``."""
    if text.startswith("unix:"):
        return Place(socket=absolute("--upstream", text.removeprefix("unix:")))
    place = _place("--upstream", text)
    if not place.host:
        _refuse("--upstream", text, "HOST:PORT or unix:/path")
    return place


def listen(option: str, text: str) -> Place:
    """``PORT``, or ``ADDRESS:PORT``."""
    return Place(port=_port(option, text)) if text.isdecimal() else _place(option, text)


def _place(option: str, text: str) -> Place:
    host, colon, port = text.rpartition(":")
    if not colon:
        _refuse(option, text, "HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        try:
            return Place(str(IPv6Address(host[1:-1])), _port(option, port))
        except ValueError:
            _refuse(option, text, "[ADDRESS]:PORT")
    if host and not _DOMAIN.fullmatch(host.lower()):
        _refuse(option, text, "HOST:PORT")
    # Of localhost a proxy may know two addresses, and hotshoe listens on one of them.
    return Place("127.0.0.1" if host == "localhost" else host.lower(), _port(option, port))


def _port(option: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= 65535:
        _refuse(option, text, "a port from 1 to 65535")
    return int(text)


def _refuse(option: str, text: str, meant: str) -> NoReturn:
    raise ConfigError(f"{option}: {_shown(text)} is not {meant}")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
