"""Finds the files of apps by name, and reads them in parts. It has its own threads, because a disk may hang."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..apps import App
from ..apps.loading import source_text
from ..base.files import find_regular, inode_of, read_part, refusal
from ..base.threads import ThreadPool
from .host import FileInfo, FileName

_THREADS = 4


class AppFiles:
    """Serves an app's ``static`` folder, its thumbnail and its source. Call ``close`` at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPool(_THREADS, name="hotshoe-files")

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    async def describe(self, app: App, name: FileName) -> FileInfo:
        """Find the file. Raises ``RequestError``."""
        result: FileInfo = await self._run(partial(_describe, app, name))
        return result

    async def read(self, app: App, name: FileName, identity: str, start: int, size: int) -> bytes:
        """Read a part of the content. Raises ``RequestError``."""
        result: bytes = await self._run(partial(_read, app, name, identity, start, size))
        return result

    async def _run(self, function: Callable[[], Any]) -> Any:
        try:
            return await self._pool.run(function)
        except RuntimeError:  # closed
            raise refusal(503) from None


def _describe(app: App, name: FileName) -> FileInfo:
    if name.kind == "source":
        file, content = _source(app)
        return FileInfo(file.name, len(content), file.stat().st_mtime_ns, _digest(content))
    path, status = find_regular(*_place(app, name))
    return FileInfo(path.name, status.st_size, status.st_mtime_ns, inode_of(status), str(path))


def _read(app: App, name: FileName, identity: str, start: int, size: int) -> bytes:
    if name.kind != "source":
        path, _ = find_regular(*_place(app, name))
        return read_part(path, identity, start, size)
    _, content = _source(app)
    if _digest(content) != identity:
        raise refusal(503)
    return content[start:start + size]


def _place(app: App, name: FileName) -> tuple[Path, str]:
    """The folder that must contain the file, and the file's name in it."""
    if name.kind == "static" and app.static_dir is not None:
        return app.static_dir, name.name
    if name.kind == "thumbnail" and app.thumbnail is not None:
        return app.thumbnail.parent, app.thumbnail.name
    raise refusal(404)


def _source(app: App) -> tuple[Path, bytes]:
    if app.source is None:
        raise refusal(404)
    find_regular(app.source.parent, app.source.name, follow_links=True)  # raises if it has gone
    return app.source, source_text(app.source).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
