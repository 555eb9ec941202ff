"""Takes a client's address, scheme and host from the headers of a trusted proxy.

The front calls ``Proxies.effective(scope)`` before anything else reads a request. Then ``client``, ``scheme`` and the
``Host`` header are those of the client, not of the proxy. Two keys of the scope say how far to trust them (read them by
``came_by_proxy`` and ``client_is_known``):

- ``hotshoe.trusted_proxy``: a trusted proxy sent the request, so its headers that name a user are trusted, too;
- ``hotshoe.client_known``: ``client`` is the client's own address, not a proxy's, so limits may count by it.

A prefix that proxies have cut off is put back in front of ``root_path``, ``path`` and ``raw_path``, as ASGI demands for
a mount.

A client can send every header that the proxy does not replace. So ``Forwarded`` and ``X-Forwarded-…`` are compared: if
a request has both, only values that are equal in both are used.

Headers of untrusted clients are ignored; apps still see them among the headers, as under ``bokeh serve``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from ...base.addresses import parse_address
from ...base.logs import PacedLog
from ...config import Settings
from ...http.paths import uncut_keys
from ...http.scopes import CLIENT_KNOWN, DOUBTED, PREFIX_TOLD, TRUSTED_PROXY, Scope

HOPS_MOST = 32
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_LISTS = frozenset({b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto", b"x-scheme", b"x-forwarded-host"})
_FORWARDED, _PREFIX = b"forwarded", b"x-forwarded-prefix"
_HEADERS = _LISTS | {_FORWARDED, _PREFIX}
_SCHEMES = {"http": ("http", "ws"), "ws": ("http", "ws"), "https": ("https", "wss"), "wss": ("https", "wss")}
LONGEST = 8192
"""Most characters of all ``Forwarded`` headers together; a dozen proxies write less than a tenth of this."""
PREFIX_LONGEST = 512

_TCHAR = r"!#$%&'*+.^_`|~0-9A-Za-z-"
# A pair of Forwarded. Unquoted addresses with colons and brackets are against the grammar, but common.
_PAIR = re.compile(rf"([{_TCHAR}]+)=(?:([\[\]:{_TCHAR}]+)|\"((?:[^\"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)\")")
_GAP = re.compile(r"[ \t]*([;,])[ \t]*")
_ESCAPED = re.compile(r"\\(.)")
_PREFIX_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~@+=:!$-]+)+")
_HOST = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

_log = PacedLog(logging.getLogger("hotshoe.proxies"), most=1)


@dataclass(frozen=True, slots=True)
class _Client:
    """The client behind the proxies; a value that is missing or not valid is empty."""

    address: str | None = None
    hops: int = 0
    """The number of proxies in front of the server, if they list each other; else 0."""
    scheme: str = ""
    host: str = ""

    def common(self, other: _Client) -> _Client:
        """The values that are equal in both."""
        hops = min(self.hops, other.hops) or max(self.hops, other.hops)
        return _Client(
            self.address if self.address == other.address else None,
            hops,
            self.scheme if self.scheme == other.scheme else "",
            self.host if self.host.lower() == other.host.lower() else "",
        )


class Proxies:
    """The trusted proxies: loopback addresses and ``networks`` if ``is_active``, else none.

    ``user_headers`` are those in which they name the user.

    A loopback address is never taken for a client's own address: a proxy on this machine may be behind it.
    """

    def __init__(self, *, is_active: bool = False, networks: Iterable[str] = (),
                 user_headers: Iterable[str | None] = ()) -> None:
        self._is_active = is_active
        self._claims = _HEADERS.union(name.lower().encode() for name in user_headers if name)
        self._networks = tuple(map(ip_network, (*_LOOPBACK, *(networks if is_active else ()))))
        self._is_near = lru_cache(1024)(self._near)

    @classmethod
    def of(cls, settings: Settings) -> Proxies:
        """The proxies of ``--use-xheaders`` and ``--trusted-proxies``."""
        named = (settings.auth_header_user, settings.auth_header_email, settings.auth_header_groups,
                 settings.auth_header_jwt)
        return cls(is_active=settings.use_xheaders, networks=settings.trusted_proxies, user_headers=named)

    def is_client(self, address: str) -> bool:
        """Whether the address is a client's; ``False`` if it is, or may be, a proxy's."""
        return bool(address) and not self._is_near(address)

    def _near(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(ip_address(address) in network for network in self._networks)

    def effective(self, scope: Scope) -> Scope:
        """The scope as if the client had connected without proxies."""
        if DOUBTED in scope:
            return self._of_nobody(scope)
        client = scope.get("client")
        peer = client[0] if client else ""  # a Unix socket has no address
        if not self._is_active or self.is_client(peer):
            if self._is_active and any(name in _HEADERS for name, _ in scope["headers"]):
                _log.warning("Ignored Forwarded headers from %s; if it is your proxy, trust it: --trusted-proxies=%s",
                             peer, peer)
            scope[TRUSTED_PROXY], scope[CLIENT_KNOWN] = False, self.is_client(peer)
            return scope
        return self._behind_proxy(scope)

    def _of_nobody(self, scope: Scope) -> Scope:
        """The scope of a request whose headers may not tell of its client: the server may have read them, too."""
        headers = [(name, value) for name, value in scope["headers"]
                   if name not in self._claims and not name.startswith(b"x-forwarded-")]
        return {**scope, "headers": headers, "client": None, TRUSTED_PROXY: False, CLIENT_KNOWN: False}

    def _behind_proxy(self, scope: Scope) -> Scope:
        lists, lines, prefixes = _read(scope["headers"])
        client = self._from_lists(lists)
        if lines:
            forwarded = self._from_elements(elements(lines))
            if lists and client.address != forwarded.address:
                self._warn_of_disagreement("Forwarded and X-Forwarded-For")
            client = client.common(forwarded) if lists else forwarded
        changed: dict[str, Any] = {TRUSTED_PROXY: True, CLIENT_KNOWN: client.address is not None}
        if client.address is not None:
            changed["client"] = (client.address, 0)
        if client.scheme:
            changed["scheme"] = _SCHEMES[client.scheme][scope["type"] == "websocket"]
        if client.host:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            changed["headers"] = [(b"host", client.host.encode()), *others]
        if prefixes:
            # Each proxy adds at most one; the client wrote those further left.
            changed |= self._mount_keys(scope, prefixes[-(client.hops or HOPS_MOST):])
        return {**scope, **changed}

    def _from_lists(self, values: Mapping[bytes, list[str]]) -> _Client:
        address, hops = self._client_address(values)
        scheme = _nth(values.get(b"x-forwarded-proto") or values.get(b"x-scheme") or [], hops)
        host = _nth(values.get(b"x-forwarded-host") or [], hops)
        return _Client(address, hops if b"x-forwarded-for" in values else 0, _scheme(scheme), _host(host))

    def _from_elements(self, found: Sequence[Mapping[str, str]] | None) -> _Client:
        """Each proxy has written one element. From the right, the first whose ``for`` is no trusted proxy describes the
        client.

        ``found`` is ``None`` if the header could not be parsed.
        """
        address, hops = None, 0
        last: Mapping[str, str] = {}
        for hops, last in enumerate(reversed((found or [])[-HOPS_MOST:]), 1):  # noqa: B007
            address = _address(last.get("for", ""))
            if address is None or self.is_client(address):
                break
        return _Client(address, hops, _scheme(last.get("proto", "")), _host(last.get("host", "")))

    def _client_address(self, values: Mapping[bytes, list[str]]) -> tuple[str | None, int]:
        """The client's address, if it can be known, and the number of proxies.

        Each proxy adds the address of its own client at the right. From the right, the first address that is not a
        trusted proxy's is the client's; the client wrote those further left.
        """
        real = _address(_nth(values.get(b"x-real-ip", []), 1))
        hops, address = 1, real
        for hops, entry in enumerate(reversed(values.get(b"x-forwarded-for", [])), 1):  # noqa: B007
            address = _address(entry)
            if address is None or self.is_client(address):
                break
        if real is not None and address not in (None, real) and self.is_client(real):
            # The proxy has set one of the two, and passed on the client's own value of the other.
            self._warn_of_disagreement("X-Real-Ip and X-Forwarded-For")
            address = None
        return address, hops

    def _warn_of_disagreement(self, names: str) -> None:
        _log.warning("%s of a trusted proxy disagree, so the client's address is unknown: let the proxy set both, or "
                     "remove one", names)

    def _mount_keys(self, scope: Scope, parts: Sequence[str]) -> dict[str, Any]:
        prefix = joined_prefix(parts)
        if prefix is None:
            _log.warning("Ignored X-Forwarded-Prefix of a trusted proxy, which is not a path of plain characters: "
                         "%.200r", ",".join(parts))
        return {PREFIX_TOLD: True, **uncut_keys(scope, prefix)} if prefix else {}


def _read(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, list[str]], list[str], list[str]]:
    """The values of the headers that proxies set: those of each list header, the lines of Forwarded, the prefixes."""
    lists: dict[bytes, list[str]] = {}
    lines: list[str] = []
    for name, value in headers:
        if name == _FORWARDED:
            lines.append(value.decode("latin-1"))
        elif name in _HEADERS:
            lists.setdefault(name, []).extend(each.strip() for each in value.decode("latin-1").split(","))
    lists = {name: values[-HOPS_MOST:] for name, values in lists.items()}
    return lists, lines, lists.pop(_PREFIX, [])


def _nth(values: list[str], hops: int) -> str:
    """The value of the proxy that the client connected to; the outermost value if fewer proxies have written one."""
    return values[-min(hops, len(values))] if values else ""


def _scheme(text: str) -> str:
    text = text.lower()
    return text if text in _SCHEMES else ""


def _host(text: str) -> str:
    return text if _HOST.fullmatch(text) else ""


def _address(text: str) -> str | None:
    """The address in its normal form, without a port; ``None`` if it is not an address."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = parse_address(text)
    return None if address is None else str(address)


def elements(lines: Iterable[str]) -> list[dict[str, str]] | None:
    """Parse ``Forwarded`` (RFC 7239): each proxy's parameters, outermost proxy first, with names in lower case.

    Returns ``None`` if any part is malformed or it is too long: the part that a proxy has added can then no longer be
    told apart from a client's.
    """
    lines = list(lines)
    if sum(map(len, lines)) > LONGEST:
        return None
    found: list[dict[str, str]] = []
    for line in lines:
        if (some := _parse_line(line.strip(" \t"))) is None:
            return None
        found += some
    return found


def _parse_line(line: str) -> list[dict[str, str]] | None:
    found: list[dict[str, str]] = [{}]
    at = 0
    while True:
        if pair := _PAIR.match(line, at):
            name = pair[1].lower()
            if name in found[-1]:  # RFC 7239, section 4
                return None
            found[-1][name] = pair[2] or _ESCAPED.sub(r"\1", pair[3] or "")
            at = pair.end()
        if at == len(line):
            return [element for element in found if element]
        gap = _GAP.match(line, at)
        if gap is None:
            return None
        if gap[1] == ",":
            found.append({})
        at = gap.end()


def joined_prefix(parts: Sequence[str]) -> str | None:
    """Join the prefixes that proxies have cut off, outermost first, to one path without a slash at its end.

    Returns an empty text if there are none, and ``None`` unless each is a path of plain characters, without empty names
    and without ``..``, which is safe in a URL, a header and a page.
    """
    named = [part.removesuffix("/") for part in parts]
    whole = "".join(named)
    is_sane = len(whole) <= PREFIX_LONGEST and all(not part or _PREFIX_PATH.fullmatch(part) for part in named)
    return whole if is_sane else None
