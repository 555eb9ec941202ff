"""Files on disk as a browser may see them: which one a path names, what it is, what is in it.

The path is the browser's and is not trusted; the folder is ours. All but the pure functions block.
"""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import os
import re
import stat
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from hotshoe.errors import RequestError

WHOLE_BYTES = 8 * 2**20
"""Files up to this size are read whole, hashed and compressed; larger ones are streamed as they are."""
MIN_COMPRESSED_BYTES = 1024

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml; charset=utf-8",
}
_COMPRESSIBLE = re.compile(
    r"text/|application/(json|wasm|xml|javascript|geo\+json|manifest\+json)|image/svg|font/ttf"
)


def refusal(status: int) -> RequestError:
    """The error for a file that can't be had."""
    return RequestError(HTTPStatus(status).phrase, status=status)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was when it was last looked at."""

    path: Path
    """Resolved: no part of it is a link."""
    size: int
    mtime_ns: int
    digest: str
    content_type: str
    seen_at: float = 0.0

    @property
    def compressible(self) -> bool:
        return MIN_COMPRESSED_BYTES <= self.size <= WHOLE_BYTES and bool(
            _COMPRESSIBLE.match(self.content_type)
        )


def content_type(name: str) -> str:
    """The media type by a file's suffix, the same on every machine for what browsers are strict about."""
    suffix = Path(name).suffix.lower()
    if suffix in _TYPES:
        return _TYPES[suffix]
    guess, encoding = mimetypes.guess_type(name, strict=False)
    return guess if guess and not encoding else "application/octet-stream"


def segments(relative: str) -> list[str]:
    """The names that a path consists of. Raises ``RequestError`` for one that means something else."""
    if "\0" in relative or "\\" in relative or (os.name == "nt" and ":" in relative):
        raise refusal(404)
    names = [name for name in relative.split("/") if name not in ("", ".")]
    if ".." in names:
        raise refusal(403)
    return names


def resolve(root: Path, relative: str, *, follow_links: bool) -> tuple[Path, os.stat_result]:
    """The file that ``relative`` names below ``root``. Raises ``RequestError``. Blocks."""
    names = segments(relative)
    path = root.joinpath(*names)
    try:
        real = path.resolve(strict=True)
        if not follow_links and not real.is_relative_to(root.resolve()):
            raise refusal(403)
        status = real.stat()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # RuntimeError: links in a circle; ValueError: surrogates
        raise refusal(403 if isinstance(error, PermissionError) else 404) from None
    if stat.S_ISDIR(status.st_mode):
        raise refusal(403)
    if not stat.S_ISREG(status.st_mode) or relative.endswith("/"):
        raise refusal(404)
    return real, status


def read_whole(path: Path) -> tuple[bytes, os.stat_result]:
    """A file's content and the state that it had while it was read. Blocks."""
    with open_regular(path) as file:
        while True:
            before = os.fstat(file.fileno())
            file.seek(0)
            data = file.read()
            after = os.fstat(file.fileno())
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size) and len(
                data
            ) == after.st_size:
                return data, after


def open_regular(path: Path) -> BinaryIO:
    """Open for reading without following a link that took the file's place, or waiting for a pipe. Blocks."""
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    return os.fdopen(os.open(path, flags), "rb")


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:40]


def refused(error: OSError) -> RequestError:
    """A file that can't be opened: too many open files is our trouble, all else is the path's."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EIO):
        return refusal(503)
    return refusal(403 if isinstance(error, PermissionError) else 404)
