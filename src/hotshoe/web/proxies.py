"""What a trusted proxy says of its visitors, put in the place of what the socket says of the proxy.

The front takes ``Proxies.effective(scope)`` for every request before anything reads it: ``client``, ``scheme`` and the
``Host`` header are then the visitor's, and two keys of the scope say what they are worth (read them by
``came_by_proxy`` and ``client_is_known``):

- ``hotshoe.trusted_proxy``: the request came from a proxy that is trusted, so what it says of users, too, is true;
- ``hotshoe.client_known``: ``client`` is the visitor's own address, and no proxy's, so that limits may count it.

A prefix that proxies have cut off is in front of ``root_path``, ``path`` and ``raw_path``, as ASGI wants a mount's.

A visitor can send every header that the proxy does not replace, so ``Forwarded`` and ``X-Forwarded-…`` check each
other: where both come, only what both say is known.

Others' headers are not believed; they stay among the headers that apps see, as under ``bokeh serve``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote, unquote

from ..config import Settings
from ..log_pace import Paced
from .answers import Scope
from .forwarded import elements, joined_prefix
from .routes import below, mounted_path

TRUSTED_PROXY = "hotshoe.trusted_proxy"
CLIENT_KNOWN = "hotshoe.client_known"
PREFIX_TOLD = "hotshoe.prefix_told"

HOPS_MOST = 32
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_LISTS = frozenset({b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto", b"x-scheme", b"x-forwarded-host"})
_FORWARDED, _PREFIX = b"forwarded", b"x-forwarded-prefix"
_HEADERS = _LISTS | {_FORWARDED, _PREFIX}
_SCHEMES = {"http": ("http", "ws"), "ws": ("http", "ws"), "https": ("https", "wss"), "wss": ("https", "wss")}
_HOST = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

_log = logging.getLogger("hotshoe.proxies")


def came_by_proxy(scope: Mapping[str, Any]) -> bool:
    """Whether the request came from a trusted proxy."""
    return bool(scope.get(TRUSTED_PROXY, False))


def client_is_known(scope: Mapping[str, Any]) -> bool:
    """Whether the scope's ``client`` is the visitor's own address."""
    return bool(scope.get(CLIENT_KNOWN, False))


def prefix_is_told(scope: Mapping[str, Any]) -> bool:
    """Whether proxies say what they cut off, so that ``root_path`` is what the browser sees."""
    return bool(scope.get(PREFIX_TOLD, False))


@dataclass(frozen=True, slots=True)
class _Account:
    """What proxies say of a visitor; what they do not say, or nobody could believe, is empty."""

    address: str | None = None
    hops: int = 0
    """Behind how many proxies the visitor is, if these list each other."""
    scheme: str = ""
    host: str = ""

    def agreed(self, other: _Account) -> _Account:
        """What both say."""
        hops = min(self.hops, other.hops) or max(self.hops, other.hops)
        return _Account(
            self.address if self.address == other.address else None,
            hops,
            self.scheme if self.scheme == other.scheme else "",
            self.host if self.host.lower() == other.host.lower() else "",
        )


class Proxies:
    """The proxies that are trusted. Unless it ``believes``, none is, and only loopback addresses say nothing."""

    def __init__(self, *, believes: bool = False, networks: Iterable[str] = ()) -> None:
        self._believes = believes
        self._networks = tuple(map(ip_network, (*_LOOPBACK, *(networks if believes else ()))))
        self._is_near = lru_cache(1024)(self._near)
        self._not_believed = Paced(_log)
        self._disagree = Paced(_log)
        self._unfit_prefix = Paced(_log)

    @classmethod
    def of(cls, settings: Settings) -> Proxies:
        """Those that the settings name."""
        return cls(believes=settings.use_xheaders, networks=settings.trusted_proxies)

    def is_client(self, address: str) -> bool:
        """Whether one who connects from there is a visitor; else a proxy connects, or may connect."""
        return bool(address) and not self._is_near(address)

    def _near(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(ip_address(address) in network for network in self._networks)

    def effective(self, scope: Scope) -> Scope:
        """The scope as the visitor's request would have made it without proxies."""
        client = scope.get("client")
        peer = client[0] if client else ""  # those of a Unix socket have none
        if not self._believes or self.is_client(peer):
            if self._believes and any(name in _HEADERS for name, _ in scope["headers"]):
                self._not_believed.warn("%s sends Forwarded headers, but is not trusted: --trusted-proxies=%s would "
                                        "believe it (%d requests since the last such line)", peer, peer)
            scope[TRUSTED_PROXY], scope[CLIENT_KNOWN] = False, self.is_client(peer)
            return scope
        return self._of_visitor(scope)

    def _of_visitor(self, scope: Scope) -> Scope:
        lists, lines, prefixes = _said(scope["headers"])
        told = self._told_by_lists(lists)
        if lines:
            forwarded = self._told_by_elements(elements(lines))
            if lists and told.address != forwarded.address:
                self._warn_of_disagreement("Forwarded and X-Forwarded-For")
            told = told.agreed(forwarded) if lists else forwarded
        changed: dict[str, Any] = {TRUSTED_PROXY: True, CLIENT_KNOWN: told.address is not None}
        if told.address is not None:
            changed["client"] = (told.address, 0)
        if told.scheme:
            changed["scheme"] = _SCHEMES[told.scheme][scope["type"] == "websocket"]
        if told.host:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            changed["headers"] = [(b"host", told.host.encode()), *others]
        if prefixes:
            # Each proxy adds one at most; what stands left of theirs was written by the visitor.
            changed |= self._mounted(scope, prefixes[-(told.hops or HOPS_MOST):])
        return {**scope, **changed}

    def _told_by_lists(self, said: Mapping[bytes, list[str]]) -> _Account:
        address, hops = self._visitor(said)
        scheme = _nth(said.get(b"x-forwarded-proto") or said.get(b"x-scheme") or [], hops)
        host = _nth(said.get(b"x-forwarded-host") or [], hops)
        return _Account(address, hops if b"x-forwarded-for" in said else 0, _scheme(scheme), _host(host))

    def _told_by_elements(self, found: Sequence[Mapping[str, str]] | None) -> _Account:
        """``None`` is what can't be read. Each proxy has written one; the first that was asked by none of ours counts.
        """
        address, hops = None, 0
        last: Mapping[str, str] = {}
        for hops, last in enumerate(reversed((found or [])[-HOPS_MOST:]), 1):  # noqa: B007
            address = _address(last.get("for", ""))
            if address is None or self.is_client(address):
                break
        return _Account(address, hops, _scheme(last.get("proto", "")), _host(last.get("host", "")))

    def _visitor(self, said: Mapping[bytes, list[str]]) -> tuple[str | None, int]:
        """The visitor's address, if it can be known, and behind how many proxies the visitor is.

        Each proxy adds the address that it was asked from at the right. What stands left of the first that is no
        proxy of ours was written by the visitor.
        """
        real = _address(_nth(said.get(b"x-real-ip", []), 1))
        hops, address = 1, real
        for hops, entry in enumerate(reversed(said.get(b"x-forwarded-for", [])), 1):  # noqa: B007
            address = _address(entry)
            if address is None or self.is_client(address):
                break
        if real is not None and address not in (None, real) and self.is_client(real):
            # One of the two is what the visitor has sent, and the proxy has passed on.
            self._warn_of_disagreement("X-Real-Ip and X-Forwarded-For")
            address = None
        return address, hops

    def _warn_of_disagreement(self, names: str) -> None:
        self._disagree.warn("%s of a trusted proxy disagree, so that the visitor's address is not known: have the "
                            "proxy set both, or take one away (%d requests since the last such line)", names)

    def _mounted(self, scope: Scope, parts: Sequence[str]) -> dict[str, Any]:
        """Where the browser sees the server, once it is known what was cut off."""
        prefix = joined_prefix(parts)
        if prefix is None:
            self._unfit_prefix.warn("X-Forwarded-Prefix of a trusted proxy is no path of plain characters, and does "
                                    "not count: %.200r (%d requests since the last such line)", ",".join(parts))
        return {PREFIX_TOLD: True, **under(prefix, scope)} if prefix else {}


def under(prefix: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    """``root_path``, ``path`` and ``raw_path`` of the scope below ``prefix``, as ASGI has those of a mount."""
    root: str = scope.get("root_path", "").rstrip("/")
    front = prefix + root
    # Some servers leave what they are mounted at out of the path. From here on it is always in it: else a path that
    # begins like the prefix could be taken for one that has it already.
    changed: dict[str, Any] = {"root_path": front, "path": front + mounted_path(scope["path"], root)}
    if raw := scope.get("raw_path"):
        has_root = below(unquote(raw.decode("latin-1")), root) is not None
        changed["raw_path"] = quote(prefix if has_root else front).encode() + raw
    return changed


def _said(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, list[str]], list[str], list[str]]:
    """The values of the headers that proxies set: each list as one, in order; lines of Forwarded; prefixes."""
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
    """What the proxy said that the visitor met: the outermost that is ours, or the only one that says it."""
    return values[-min(hops, len(values))] if values else ""


def _scheme(text: str) -> str:
    text = text.lower()
    return text if text in _SCHEMES else ""


def _host(text: str) -> str:
    return text if _HOST.fullmatch(text) else ""


def _address(text: str) -> str | None:
    """An address as text that can be compared; a port behind it is cut off. ``None`` for what is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
