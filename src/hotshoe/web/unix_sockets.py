"""A Unix socket to listen on: its file, and what an earlier server may have left in its place."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path

from hotshoe.errors import BindError
from hotshoe.web.listening import BACKLOG, Listeners

_PROBE_TIMEOUT_S = 2.0


def listen_unix(path: str, mode: int) -> Listeners:
    """Listen on a Unix socket that those may connect to whom ``mode`` allows. Raises BindError.

    What a server that has died left at the path is replaced, but nothing else that stands there.
    """
    try:
        _clear(path)
        return _bound(path, mode)
    except (OSError, ValueError) as error:
        raise BindError(_reason(error, path)) from error


def _bound(path: str, mode: int) -> Listeners:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        own = _identity(path)
        remove = partial(_remove, os.path.abspath(path), own)  # noqa: PTH100 - an app may change the folder
        try:
            # Nobody can connect before it listens.
            Path(path).chmod(mode)
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except BaseException:
            remove()
            raise
    except BaseException:
        sock.close()
        raise
    return Listeners((sock,), 0, remove)


def _clear(path: str) -> None:
    """Remove a socket on which nobody listens."""
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
            _remove(path, (found.st_dev, found.st_ino))
            return
        except TimeoutError:
            pass  # one who listens, and whose queue is full
    raise OSError(errno.EADDRINUSE, "in use")


def _identity(path: str) -> tuple[int, int]:
    found = Path(path).stat(follow_symlinks=False)
    return found.st_dev, found.st_ino


def _remove(path: str, own: tuple[int, int]) -> None:
    """Remove the file if it is still the one that is meant: another server may have taken the path."""
    with suppress(OSError):
        if _identity(path) == own:
            Path(path).unlink()


def _reason(error: OSError | ValueError, path: str) -> str:
    problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    match error:
        case OSError(errno=errno.EADDRINUSE):
            problem = "a server listens on it already"
        case FileNotFoundError():
            problem = "its folder does not exist"
        case PermissionError():
            problem = "this user may not make or replace it"
    return f"Cannot start Bokeh server on the Unix socket {path}: {problem}"
