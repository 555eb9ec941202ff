"""The sockets that a server listens on: bound here and in ``unix_sockets``, before any loop runs, or not at all."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from hotshoe.errors import BindError
from hotshoe.loopback import is_loopback

BACKLOG = 2048
ANY_IPV4 = "0.0.0.0"  # noqa: S104 - every interface is what bokeh serve listens on by default
_PORT_ATTEMPTS = 20
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets that share one port; or one Unix socket, whose port is 0."""

    sockets: tuple[socket.socket, ...]
    port: int
    remove: Callable[[], None] | None = None
    """Takes the file of a Unix socket away."""

    @property
    def are_local(self) -> bool:
        """Whether only this machine reaches them."""
        return self.remove is not None or all(is_loopback(sock.getsockname()[0]) for sock in self.sockets)

    def close(self) -> None:
        """Close those that no server has closed yet."""
        if self.remove is not None:
            self.remove()
        for sock in self.sockets:
            sock.close()


def listen(address: str | None, port: int) -> Listeners:
    """Listen on an address, or on all interfaces, IPv4 and IPv6; port 0 is any free one. Raises BindError."""
    targets = _targets(address, port)
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _listen(targets, port)
        except OSError as error:
            # With port 0 the second family gets the first one's port, which may be taken there.
            if port == 0 and error.errno == errno.EADDRINUSE and attempt < _PORT_ATTEMPTS - 1:
                continue
            raise BindError(_reason(error, address, port)) from error
    raise AssertionError("unreachable")


def _targets(address: str | None, port: int) -> list[tuple[socket.AddressFamily, str]]:
    if not address:
        return [(socket.AF_INET, ANY_IPV4), *([(socket.AF_INET6, "::")] if socket.has_ipv6 else [])]
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise BindError(_no_address(address)) from error
    return list(dict.fromkeys((family, str(where[0])) for family, _, _, _, where in found))


def _listen(targets: list[tuple[socket.AddressFamily, str]], port: int) -> Listeners:
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, host in targets:
            try:
                sockets.append(_bound(family, host, port))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error  # a family that this machine does not have
                continue
            port = sockets[0].getsockname()[1]
    except BaseException:
        Listeners(tuple(sockets), port).close()
        raise
    if not sockets:
        raise absent or OSError(errno.EADDRNOTAVAIL, "no address")
    return Listeners(tuple(sockets), port)


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # where it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        with suppress(OSError):
            sock.close()
        raise
    return sock


def _reason(error: OSError, address: str | None, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Cannot start Bokeh server, port {port} is already in use"
    if error.errno in _ABSENT and address:
        return _no_address(address)
    if isinstance(error, PermissionError):
        return f"Cannot start Bokeh server, port {port} needs privileges that this user does not have"
    return f"Cannot start Bokeh server on port {port}: {error.strerror or error}"


def _no_address(address: str) -> str:
    return f"Cannot start Bokeh server, address {address!r} not available"
