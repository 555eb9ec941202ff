"""What a trusted proxy says of its visitors, put in the place of what the socket says of the proxy.

The front takes ``Proxies.effective(scope)`` for every request before anything reads it: ``client``, ``scheme`` and the
``Host`` header are then the visitor's, and two keys of the scope say what they are worth (read them by
``came_by_proxy`` and ``client_is_known``):

- ``hotshoe.trusted_proxy``: the request came from a proxy that is trusted, so what it says of users, too, is true;
- ``hotshoe.client_known``: ``client`` is the visitor's own address, and no proxy's, so that limits may count it.

Others' headers are not believed; they stay among the headers that apps see, as under ``bokeh serve``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from ..config import Settings
from ..log_pace import Paced
from .answers import Scope

TRUSTED_PROXY = "hotshoe.trusted_proxy"
CLIENT_KNOWN = "hotshoe.client_known"

HOPS_MOST = 32
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_HEADERS = frozenset({b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto", b"x-scheme", b"x-forwarded-host"})
_SCHEMES = {"http": ("http", "ws"), "ws": ("http", "ws"), "https": ("https", "wss"), "wss": ("https", "wss")}
_HOST = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

_log = logging.getLogger("hotshoe.proxies")


def came_by_proxy(scope: Mapping[str, Any]) -> bool:
    """Whether the request came from a trusted proxy."""
    return bool(scope.get(TRUSTED_PROXY, False))


def client_is_known(scope: Mapping[str, Any]) -> bool:
    """Whether the scope's ``client`` is the visitor's own address."""
    return bool(scope.get(CLIENT_KNOWN, False))


class Proxies:
    """The proxies that are trusted. Unless it ``believes``, none is, and only loopback addresses say nothing."""

    def __init__(self, *, believes: bool = False, networks: Iterable[str] = ()) -> None:
        self._believes = believes
        self._networks = tuple(map(ip_network, (*_LOOPBACK, *(networks if believes else ()))))
        self._is_near = lru_cache(1024)(self._near)
        self._not_believed = Paced(_log)
        self._disagree = Paced(_log)

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
                self._not_believed.warn("%s sends X-Forwarded headers, but is not trusted: --trusted-proxies=%s would "
                                        "believe it (%d requests since the last such line)", peer, peer)
            scope[TRUSTED_PROXY], scope[CLIENT_KNOWN] = False, self.is_client(peer)
            return scope
        return self._of_visitor(scope)

    def _of_visitor(self, scope: Scope) -> Scope:
        said = _said(scope["headers"])
        address, hops = self._visitor(said)
        changed: dict[str, Any] = {TRUSTED_PROXY: True, CLIENT_KNOWN: address is not None}
        if address is not None:
            changed["client"] = (address, 0)
        scheme = _nth(said.get(b"x-forwarded-proto") or said.get(b"x-scheme") or [], hops).lower()
        if scheme in _SCHEMES:
            changed["scheme"] = _SCHEMES[scheme][scope["type"] == "websocket"]
        host = _nth(said.get(b"x-forwarded-host") or [], hops)
        if _HOST.fullmatch(host):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            changed["headers"] = [(b"host", host.encode()), *others]
        return {**scope, **changed}

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
            self._disagree.warn("X-Real-Ip and X-Forwarded-For of a trusted proxy disagree, so that the visitor's "
                                "address is not known: have the proxy set both (%d requests since the last such line)")
            address = None
        return address, hops


def _said(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[str]]:
    """The values of the headers that proxies set, each list as one, in order. (RFC 7239 would be read here.)"""
    said: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in _HEADERS:
            said.setdefault(name, []).extend(each.strip() for each in value.decode("latin-1").split(","))
    return {name: values[-HOPS_MOST:] for name, values in said.items()}


def _nth(values: list[str], hops: int) -> str:
    """What the proxy said that the visitor met: the outermost that is ours, or the only one that says it."""
    return values[-min(hops, len(values))] if values else ""


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
