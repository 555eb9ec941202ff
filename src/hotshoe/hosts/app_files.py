"""Finds the files of apps by name, and reads them in parts. Each app has its own threads, because its disk may hang."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

from ..apps import App
from ..apps.loading import source_text
from ..base.disks import Disks
from ..base.files import find_regular, inode_of, read_part, refusal
from ..seams.panel import component_file
from .host import FileInfo, FileName


class AppFiles:
    """Serves an app's ``static`` folder, thumbnail, source and files of components. Call ``close`` at the end.

    ``dotfiles``: also files below ``static`` whose names begin with a dot.
    """

    def __init__(self, *, dotfiles: bool = False) -> None:
        self._dotfiles = dotfiles
        self._looking = Disks("hotshoe-look")
        self._reading = Disks("hotshoe-read")

    def close(self) -> None:
        """End the threads."""
        self._looking.close()
        self._reading.close()

    async def describe(self, app: App, name: FileName) -> FileInfo:
        """Find the file. Raises ``RequestError``."""
        return await self._looking.run(f"app {name.app}", partial(_describe, app, name, self._dotfiles))

    async def read(self, app: App, name: FileName, identity: str, start: int, size: int) -> bytes:
        """Read a part of the content. Raises ``RequestError``."""
        read = partial(_read, app, name, identity, start, size, self._dotfiles)
        return await self._reading.run(f"app {name.app}", read)


def _describe(app: App, name: FileName, dotfiles: bool) -> FileInfo:
    if name.kind == "source":
        file, content = _source(app)
        return FileInfo(file.name, len(content), file.stat().st_mtime_ns, _digest(content))
    path, status = _find(app, name, dotfiles)
    return FileInfo(path.name, status.st_size, status.st_mtime_ns, inode_of(status), str(path))


def _read(app: App, name: FileName, identity: str, start: int, size: int, dotfiles: bool) -> bytes:
    if name.kind != "source":
        path, _ = _find(app, name, dotfiles)
        return read_part(path, identity, start, size)
    _, content = _source(app)
    if _digest(content) != identity:
        raise refusal(503)
    return content[start:start + size]


def _find(app: App, name: FileName, dotfiles: bool) -> tuple[Path, os.stat_result]:
    if name.kind == "static" and app.static_dir is not None:
        return find_regular(app.static_dir, name.name, dotfiles=dotfiles)
    if name.kind == "thumbnail" and app.thumbnail is not None:
        return find_regular(app.thumbnail.parent, app.thumbnail.name, dotfiles=True)
    if name.kind == "component":  # its class lists it by name
        return find_regular(*component_file(name.name), follow_links=True, dotfiles=True)
    raise refusal(404)


def _source(app: App) -> tuple[Path, bytes]:
    if app.source is None:
        raise refusal(404)
    find_regular(app.source.parent, app.source.name, follow_links=True, dotfiles=True)  # raises if it has gone
    return app.source, source_text(app.source).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
