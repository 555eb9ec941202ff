"""The sockets that a server listens on, TCP and Unix: bound before any event loop runs."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..base.addresses import is_loopback
from ..base.errors import BindError
from ..base.locks import locked

BACKLOG = 2048
ANY_IPV4 = "0.0.0.0"  # noqa: S104 - every interface is what bokeh serve listens on by default
_PORT_ATTEMPTS = 20
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_PROBE_TIMEOUT_S = 2.0
_REMOVAL_S = 2.0
"""How long a server that ends waits for others that start; without the lock, it leaves its socket to its successor."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets that share one port; or one Unix socket, with port 0."""

    sockets: tuple[socket.socket, ...]
    port: int
    remove: Callable[[], None] | None = None
    """Removes the file of a Unix socket."""

    @property
    def are_local(self) -> bool:
        """Whether only this machine can reach them."""
        return self.remove is not None or all(is_loopback(sock.getsockname()[0]) for sock in self.sockets)

    def close(self) -> None:
        """Close the sockets that are still open."""
        if self.remove is not None:
            self.remove()
        for sock in self.sockets:
            sock.close()


def listen(address: str | None, port: int) -> Listeners:
    """Listen on an address, or on all interfaces (IPv4 and IPv6); port 0 takes a free port. Raises BindError."""
    targets = _targets(address, port)
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _listen(targets, port)
        except OSError as error:
            # With port 0 the second family gets the port of the first, which may be in use there.
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
                sockets.append(_bind(family, host, port))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error  # this machine does not have the family
                continue
            port = sockets[0].getsockname()[1]
    except BaseException:
        Listeners(tuple(sockets), port).close()
        raise
    if not sockets:
        raise absent or OSError(errno.EADDRNOTAVAIL, "no address")
    return Listeners(tuple(sockets), port)


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # on Windows, it would let two servers share a port
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
        return f"Cannot start Bokeh server, port {port} is already in use; choose another with --port (0: any free one)"
    if error.errno in _ABSENT and address:
        return _no_address(address)
    if isinstance(error, PermissionError):
        return f"Cannot start Bokeh server, port {port} needs privileges that this user does not have"
    return f"Cannot start Bokeh server on port {port}: {error.strerror or error}"


def _no_address(address: str) -> str:
    return f"Cannot start Bokeh server, address {address!r} not available; --address takes an address of this machine"


def listen_unix(path: str, mode: int) -> Listeners:
    """Listen on a Unix socket with the file permissions ``mode``. Raises BindError.

    A socket that a dead server left at the path is replaced; any other file is an error. Of several servers that start
    at once, one gets the socket: it is replaced, bound and removed under a lock file.
    """
    try:
        with locked(_lock_of(path), is_own=True):
            _remove_stale(path)
            return _bind_unix(path, mode)
    except (OSError, ValueError) as error:
        raise BindError(_unix_reason(error, path)) from error


def _lock_of(path: str) -> Path:
    return Path(f"{path}.lock")


def _bind_unix(path: str, mode: int) -> Listeners:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        own = _identity(Path(path).stat(follow_symlinks=False))
        remove = partial(_remove, os.path.abspath(path), own)  # noqa: PTH100 - an app may change the folder
        try:
            Path(path).chmod(mode)  # before it listens, when nobody can connect
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except BaseException:
            _unlink(path, own)
            raise
    except BaseException:
        sock.close()
        raise
    return Listeners((sock,), 0, remove)


def _remove_stale(path: str) -> None:
    """Remove a socket on which no process listens."""
    try:
        found = Path(path).stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "there is another file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIMEOUT_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            _unlink(path, _identity(found))
            return
        except TimeoutError:
            pass  # a process listens, and its queue is full
    raise OSError(errno.EADDRINUSE, "in use")


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    """Device, number, and time of creation: the number of a removed file is soon that of another."""
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _remove(path: str, own: tuple[int, int, int]) -> None:
    """Remove the file if it is still ours: another server may have replaced it, or be about to."""
    with suppress(OSError), locked(_lock_of(path), is_own=True, patience_s=_REMOVAL_S):
        _unlink(path, own)


def _unlink(path: str, own: tuple[int, int, int]) -> None:
    with suppress(OSError):
        if _identity(Path(path).stat(follow_symlinks=False)) == own:
            Path(path).unlink()


def _unix_reason(error: OSError | ValueError, path: str) -> str:
    problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    match error:
        case OSError(errno=errno.EADDRINUSE):
            problem = "another server listens on it"
        case FileNotFoundError():
            problem = "its folder does not exist"
        case PermissionError():
            problem = "this user may not create or replace it"
    return f"Cannot start Bokeh server on the Unix socket {path}: {problem}"
