"""The folders of a user's servers: state, which must be kept, and cache, which can be made again; and their files.

They are XDG base directories; only this module reads their environment variables. Files of the cache are sent to
browsers as code, so a file counts only if nobody but this user and root can have written it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .files import open_regular

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def state_folder() -> Path:
    """The folder for the state of this user's servers. Makes it if needed, or raises ``OSError``."""
    return make_private(_home("XDG_STATE_HOME", "~/.local/state"), "hotshoe")


def cache_folder(name: str) -> Path | None:
    """A folder for cached files: in the user's cache, else in the temporary folder, else ``None``.

    It exists, is writable and private. Blocks.
    """
    for base, own in _candidates():
        with suppress(OSError):
            folder = make_private(base, own, name)
            if is_private(folder) and os.access(folder, os.W_OK):
                return folder
    return None


def _candidates() -> Iterator[tuple[Path, str]]:
    with suppress(OSError):
        yield _home("XDG_CACHE_HOME", "~/.cache"), "hotshoe"
    with suppress(OSError):  # there may be no temporary folder that can be written
        yield Path(tempfile.gettempdir()), f"hotshoe-{_uid()}"


def _home(variable: str, default: str) -> Path:
    given = Path(os.environ.get(variable, ""))
    if given.is_absolute():  # by XDG, a relative path does not count
        return given
    try:
        return Path(default).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error


def make_private(base: Path, *parts: str) -> Path:
    """The folder ``base/parts…``. Makes missing folders, accessible to their owner only; existing ones are not changed.

    Raises ``OSError``.
    """
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in parts:
        base = base / part
        base.mkdir(mode=0o700, exist_ok=True)
    return base


def is_private(folder: Path) -> bool:
    """Whether only this user and root can put files into a folder, or replace the folder. Blocks."""
    try:
        own, real = folder.lstat(), folder.resolve(strict=True)
        above = [path.stat() for path in {*folder.absolute().parents, *real.parents}]
    except (OSError, RuntimeError):
        return False
    return stat.S_ISDIR(own.st_mode) and _is_ours(own) and all(map(_is_fixed, above))


def _is_fixed(status: os.stat_result) -> bool:
    """Whether other users cannot rename files in a folder. (In a sticky one, such as /tmp, only owners can.)"""
    return _is_ours(status) or (status.st_mode & stat.S_ISVTX != 0 and status.st_uid in (_uid(), 0))


def _is_ours(status: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or (status.st_uid in (_uid(), 0) and not status.st_mode & _WRITABLE_BY_OTHERS)


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def stamp_of(file: str | Path) -> tuple[int, int, int] | None:
    """Time of change, size and inode, which change whenever the file does; ``None`` if it cannot be read. Blocks."""
    try:
        status = Path(file).stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def read_private(file: Path) -> bytes | None:
    """The content of a file, if only this user and root can have written it, else ``None``. Blocks."""
    try:
        with open_regular(file) as opened:
            status = os.fstat(opened.fileno())
            return opened.read() if stat.S_ISREG(status.st_mode) and _is_ours(status) else None
    except OSError:
        return None


def write_private(file: Path, data: bytes) -> None:
    """Write a file in one step, so that no other process ever sees half of it, not even after a crash.

    Raises ``OSError``. Blocks.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix="new-")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
