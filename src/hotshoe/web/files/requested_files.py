"""The files that clients request: of packages on this machine, and of apps, which the host finds.

The checks of ``base.files`` run where the file is found: here for packages, in the host for apps.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from ...base.disks import Disks
from ...base.files import WHOLE_BYTES, find_regular, inode_of, normalized_name, read_whole, refusal_of
from ...hosts.host import FILE_CHUNK_BYTES, FileInfo, FileName, Host

MIN_COMPRESSED_BYTES = 1024

_TYPES = {
    ".cjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".es6": "text/javascript; charset=utf-8",
    ".gz": "application/gzip",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsx": "text/javascript; charset=utf-8",
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

UNKNOWN = "application/octet-stream"
"""The type of a file whose suffix says nothing, such as ``widget@7``, ``loader`` or ``d.min``."""

Origin: TypeAlias = Literal["bokehjs", "extension", "app"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file below a folder that a package manager installed. Any client may have it, without a login."""

    root: Path
    relative: str
    """Below ``root``, as the client wrote it."""
    versions: frozenset[str] = frozenset()
    """Values of ``?v=`` that are valid for all files of the package."""
    origin: Origin = "bokehjs"

    @property
    def key(self) -> tuple[str, ...]:
        """The same for all spellings of the path. Raises ``RequestError``."""
        return "packaged", str(self.root), normalized_name(self.relative)

    @property
    def folder(self) -> str:
        """The folder whose threads find and read the file."""
        return str(self.root)

    def describe(self) -> FileInfo:
        """Find the file. Links may lead out of the folder, as package managers make such links. Blocks."""
        path, status = find_regular(self.root, self.relative, follow_links=True)
        return FileInfo(path.name, status.st_size, status.st_mtime_ns, inode_of(status), str(path))


@dataclass(frozen=True, slots=True)
class AppFile:
    """A file of an app, which its host finds."""

    host: Host
    name: FileName
    versions: frozenset[str] = frozenset()
    origin: Origin = "app"

    @property
    def key(self) -> tuple[str, ...]:
        """The same for all spellings of the path. Raises ``RequestError``."""
        return self.name.kind, self.name.app, normalized_name(self.name.name)

    @property
    def folder(self) -> str:
        """The app, whose threads find and read the file."""
        return f"app {self.name.app}"


RequestedFile: TypeAlias = PackagedFile | AppFile


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was when the server last looked at it."""

    info: FileInfo
    content_type: str
    digest: str
    """Of the content."""
    version: str = ""
    """The value of ``?v=`` in our pages and bokeh's for this content; empty for a large file."""

    def is_compressible(self, kind: str) -> bool:
        """Whether compressing it is worth the time, if it is sent as this media type."""
        return MIN_COMPRESSED_BYTES <= self.info.size <= WHOLE_BYTES and bool(_COMPRESSIBLE.match(kind))

    def tag(self, encoding: str = "") -> str:
        """The ``ETag`` of the content in an encoding."""
        return f'"{self.digest}-{encoding}"' if encoding else f'"{self.digest}"'


async def describe(requested: RequestedFile, looking: Disks) -> FileInfo:
    """Find the file: on a thread of ``looking``, or in the app's host. Raises ``RequestError``."""
    if isinstance(requested, AppFile):
        return await requested.host.file(requested.name)
    return await looking.run(requested.folder, requested.describe)


def entry_of(info: FileInfo, data: bytes) -> Entry:
    """The entry of a file with this content. Takes 40 ms for 8 MB."""
    return Entry(info, content_type(info.name), digest_of(data), hashlib.sha512(data).hexdigest())


def large_entry(info: FileInfo) -> Entry:
    """The entry of a file that is too large to be hashed: any change of it changes its time or its size."""
    return Entry(info, content_type(info.name), f"{info.modified_ns:x}-{info.size:x}")


def load(info: FileInfo, path: str) -> tuple[Entry, bytes]:
    """Read a file of this machine as a whole. Blocks. Raises ``RequestError``."""
    try:
        data, status = read_whole(Path(path))
    except OSError as error:
        raise refusal_of(error) from None
    return entry_of(replace(info, size=status.st_size, modified_ns=status.st_mtime_ns), data), data


async def read_all(file: AppFile, info: FileInfo) -> bytes:
    """The content of an app's file, read by its host; shorter if the file has become shorter. Raises ``RequestError``.
    """
    read = partial(file.host.read_file, file.name, info.identity)
    return b"".join([await read(start, FILE_CHUNK_BYTES) for start in range(0, info.size, FILE_CHUNK_BYTES)])


def content_type(name: str) -> str:
    """The media type for a file's suffix. For types that browsers check strictly, it is the same on every machine."""
    suffix = Path(name).suffix.lower()
    if suffix in _TYPES:
        return _TYPES[suffix]
    if suffix[1:].isdigit():  # of a version, like vega@5.1; some machines take it for a page of a manual
        return UNKNOWN
    guess, encoding = mimetypes.guess_type(name, strict=False)
    return guess if guess and not encoding else UNKNOWN


def digest_of(data: bytes) -> str:
    """The digest for ``ETag``."""
    return hashlib.sha256(data).hexdigest()[:40]
