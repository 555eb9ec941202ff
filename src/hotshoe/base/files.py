"""Files below a folder that clients may read: finds the file that a path names, and reads it. All functions block.

The client chooses the path, so it is not trusted; the folder is ours. No link may lead out of the folder, no pipe or
device is opened, and no content is half of an old version and half of a new one.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from .errors import RequestError

WHOLE_BYTES = 8 * 2**20
"""Files up to this size are read as a whole."""
PAUSES_S = (0, 0.005, 0.01, 0.02, 0.04, 0.08)
"""Pauses before the attempts to read a file that is being written. Few threads read files, so the attempts end."""


def refusal(status: int) -> RequestError:
    """The error for a file that is not served, with the phrase of the status."""
    return RequestError(HTTPStatus(status).phrase, status=status)


def refusal_of(error: OSError) -> RequestError:
    """The error for a file that can't be opened: 503 if the server has too many open files, else 403 or 404."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EIO):
        return refusal(503)
    return refusal(403 if isinstance(error, PermissionError) else 404)


def checked_names(relative: str) -> list[str]:
    """The names in a path. Raises ``RequestError`` for a path that could lead out of its folder."""
    if "\0" in relative or "\\" in relative or (os.name == "nt" and ":" in relative):
        raise refusal(404)
    names = [name for name in relative.split("/") if name not in ("", ".")]
    if ".." in names:
        raise refusal(403)
    return names


def normalized_name(relative: str) -> str:
    """The same text for all spellings of a path. A slash at the end stays, since a file's path has none."""
    return "/".join(checked_names(relative)) + "/" * relative.endswith("/")


def find_regular(root: Path, relative: str, *, follow_links: bool = False,
                 dotfiles: bool = False) -> tuple[Path, os.stat_result]:
    """The regular file that ``relative`` names below ``root``, without links in its path. Raises ``RequestError``.

    ``follow_links`` allows links that lead out of ``root``; ``dotfiles`` allows names that begin with a dot. Behind a
    link they are allowed, as Kubernetes mounts files so.
    """
    names = checked_names(relative)
    if not dotfiles and any(name.startswith(".") for name in names):
        raise refusal(404)
    path = root.joinpath(*names)
    try:
        real = path.resolve(strict=True)
        if not follow_links and not real.is_relative_to(root.resolve()):
            raise refusal(403)
        status = real.stat()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle; ValueError: surrogates
        raise refusal(403 if isinstance(error, PermissionError) else 404) from None
    if stat.S_ISDIR(status.st_mode):
        raise refusal(403)
    if not stat.S_ISREG(status.st_mode) or relative.endswith("/"):
        raise refusal(404)
    return real, status


def open_regular(path: Path, *, follow_links: bool = False) -> BinaryIO:
    """Open a file for reading. Fails if a link has replaced it, and does not wait if a pipe has replaced it.

    ``follow_links`` allows links.
    """
    no_links = 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    flags = os.O_RDONLY | no_links | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        return os.fdopen(descriptor, "rb")
    except OSError as error:  # a folder has replaced it
        os.close(descriptor)
        error.filename = str(path)  # it was the descriptor
        raise


def read_regular(path: Path, most_bytes: int = WHOLE_BYTES) -> bytes:
    """The content of a file that the operator has named. Links are followed.

    Raises ``OSError``, also for more than ``most_bytes``, and for a pipe or a device, for which reading would wait.
    """
    with open_regular(path, follow_links=True) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        if status.st_size > most_bytes:
            raise OSError(f"it has {status.st_size} bytes, more than {most_bytes}")
        return file.read()


def read_whole(path: Path) -> tuple[bytes, os.stat_result]:
    """A file's content, and its status, which did not change during the reading. Raises ``OSError``.

    Raises ``RequestError`` with status 503 if the file is written all the time, or has grown beyond ``WHOLE_BYTES``.
    """
    with open_regular(path) as file:
        for pause_s in PAUSES_S:
            time.sleep(pause_s)
            before = os.fstat(file.fileno())
            file.seek(0)
            data = file.read(WHOLE_BYTES + 1)
            after = os.fstat(file.fileno())
            is_at_rest = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
            if is_at_rest and len(data) == after.st_size:
                return data, after
    raise refusal(503)


def read_part(path: Path, inode: str, start: int, size: int) -> bytes:
    """Up to ``size`` bytes from ``start`` on. Raises ``RequestError`` if ``inode`` is not the file's any more."""
    try:
        with open_regular(path) as file:
            if inode_of(os.fstat(file.fileno())) != inode:
                raise refusal(503)
            file.seek(start)
            return file.read(size)
    except OSError as error:
        raise refusal_of(error) from None


def inode_of(status: os.stat_result) -> str:
    """The identity of a file: a file that replaces it under the same name has another one."""
    return f"{status.st_dev:x}-{status.st_ino:x}"
