"""Compressed bodies, made once: quickly for who waits, at the best level in the background, then kept.

A body is named by the digest of its content, so an entry is never out of date, and processes and servers may
share the folder. Everything here may be called from any thread and blocks; the event loop calls it in one.
"""

from __future__ import annotations

import hashlib
import os
import queue
import tempfile
import threading
import zlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import brotli  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

Encoding: TypeAlias = 'Literal["br", "gzip"]'
ENCODINGS: tuple[Encoding, ...] = ("br", "gzip")
QUICK = {"br": 5, "gzip": 6}
"""bokeh.min.js (1.27 MB): brotli 5 takes 26 ms and leaves 316 KB, brotli 11 takes 1.9 s and leaves 279 KB."""
BEST = {"br": 11, "gzip": 9}

FOLDER_BYTES = 256 * 2**20
_CHUNK = 32768
_CHECK_BYTES = 16


@dataclass(frozen=True, slots=True)
class Compressed:
    """A body in one encoding; ``level`` tells apart bodies whose bytes differ."""

    body: bytes
    encoding: Encoding
    level: int


def acceptable(accept_encoding: str) -> Encoding | None:
    """What an ``Accept-Encoding`` header prefers, brotli at equal weight; ``None`` for none of ours."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.partition(";")
        weights[name.strip()] = _weight(parameters)
    other = weights.get("*", 0.0)
    ranked = [
        (weights.get(name, weights.get("x-gzip", other) if name == "gzip" else other), name)
        for name in ENCODINGS
    ]
    best = max(ranked, key=lambda pair: pair[0])
    return best[1] if best[0] > 0 and best[0] >= weights.get("identity", 0.0) else None


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def compress(
    data: bytes, encoding: Encoding, level: int, cancelled: Callable[[], bool] = bool
) -> bytes | None:
    """Compress in steps short enough that ``cancelled`` ends a long one; ``None`` if it did."""
    step, end = _brotli(level) if encoding == "br" else _gzip(level)
    parts = []
    for start in range(0, len(data), _CHUNK):
        if cancelled():
            return None
        parts.append(step(data[start : start + _CHUNK]))
    parts.append(end())
    return b"".join(parts)


def _brotli(level: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    compressor = brotli.Compressor(quality=level)
    return compressor.process, compressor.finish


def _gzip(level: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    compressor = zlib.compressobj(level, wbits=31)
    return compressor.compress, compressor.flush


class Memory:
    """The most recently used bodies, together no larger than ``limit_bytes``."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bodies: OrderedDict[tuple[str, ...], tuple[bytes, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...]) -> tuple[bytes, int] | None:
        with self._lock:
            found = self._bodies.get(key)
            if found is not None:
                self._bodies.move_to_end(key)
            return found

    def put(self, key: tuple[str, ...], body: bytes, level: int = 0) -> None:
        with self._lock:
            old = self._bodies.pop(key, None)
            if old is not None:
                self._size -= len(old[0])
                body, level = max((old, (body, level)), key=lambda pair: pair[1])
            if len(body) > self._limit // 4:
                return
            self._bodies[key] = (body, level)
            self._size += len(body)
            while self._size > self._limit:
                _, (dropped, _level) = self._bodies.popitem(last=False)
                self._size -= len(dropped)

    @property
    def size_bytes(self) -> int:
        return self._size


class Store:
    """Compressed bodies on disk. What can't be read or written is as if it were not there."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, digest: str, encoding: Encoding, level: int) -> bytes | None:
        if self._folder is None:
            return None
        path = self._path(digest, encoding, level)
        try:
            check, body = (content := path.read_bytes())[:_CHECK_BYTES], content[_CHECK_BYTES:]
        except OSError:
            return None
        if check != _checksum(body):
            return None
        with suppress(OSError):
            os.utime(path)  # the oldest go first when the folder is full
        return body

    def save(self, digest: str, encoding: Encoding, level: int, body: bytes) -> None:
        if self._folder is None:
            return
        try:
            handle, name = tempfile.mkstemp(dir=self._folder, prefix="new-")
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_checksum(body) + body)
            Path(name).replace(self._path(digest, encoding, level))
        except OSError:
            Path(name).unlink(missing_ok=True)

    def trim(self, limit_bytes: int = FOLDER_BYTES) -> None:
        """Remove the entries that were not used for longest until the rest fits."""
        if self._folder is None:
            return
        with suppress(OSError):
            entries = sorted(
                (
                    (entry.stat().st_mtime, entry.stat().st_size, entry.path)
                    for entry in os.scandir(self._folder)
                ),
                reverse=True,
            )
            total = 0
            for _used, size, path in entries:
                total += size
                if total > limit_bytes:
                    Path(path).unlink(missing_ok=True)

    def _path(self, digest: str, encoding: Encoding, level: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{digest}.{encoding}{level}"


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()


def cache_folder() -> Path | None:
    """Where compressed files are kept: the user's cache, else the temporary folder, else nowhere.

    A folder that someone else owns or may write to is not used: what lies in it is sent to browsers as code.
    """
    uid = os.getuid() if hasattr(os, "getuid") else 0
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if base and Path(base).is_absolute() else Path("~/.cache").expanduser()
    return next(
        filter(_is_private, (home / "hotshoe" / "static", Path(tempfile.gettempdir()) / f"hotshoe-{uid}")),
        None,
    )


def _is_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except (OSError, RuntimeError):
        return False
    if not folder.is_dir() or folder.is_symlink() or not os.access(folder, os.W_OK):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


class Compressor:
    """Gives a body in an encoding: from memory, from disk, or compressed quickly and improved afterwards."""

    def __init__(self, store: Store, memory: Memory) -> None:
        self._store = store
        self._memory = memory
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._wanted: set[tuple[str, Encoding]] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def cached(self, digest: str, encoding: Encoding) -> Compressed | None:
        """What is in memory. Never blocks."""
        found = self._memory.get((digest, encoding))
        return Compressed(found[0], encoding, found[1]) if found else None

    def get(self, digest: str, encoding: Encoding, read: Callable[[], bytes]) -> Compressed:
        """The best body that can be had at once; a better one is made in the background."""
        if (found := self.cached(digest, encoding)) is not None:
            return found
        level, body = BEST[encoding], self._store.load(digest, encoding, BEST[encoding])
        if body is None:
            data = read()
            level, body = QUICK[encoding], compress(data, encoding, QUICK[encoding]) or b""
            self._improve(digest, encoding, lambda: data)
        self._memory.put((digest, encoding), body, level)
        return Compressed(body, encoding, level)

    def prepare(self, digest: str, encoding: Encoding, read: Callable[[], bytes]) -> None:
        """Make the best body in the background if it is not on disk."""
        self._improve(digest, encoding, read)

    def background(self, work: Callable[[], None]) -> None:
        """Run ``work`` in the one low-priority thread."""
        with self._lock:
            if self._closed:
                return
            self._waiting.put(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hotshoe-compress", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the background thread; what it has not finished is dropped."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join(timeout=5)

    def _improve(self, digest: str, encoding: Encoding, read: Callable[[], bytes]) -> None:
        key = (digest, encoding)
        with self._lock:
            if key in self._wanted:
                return
            self._wanted.add(key)
        self.background(lambda: self._make_best(digest, encoding, read))

    def _make_best(self, digest: str, encoding: Encoding, read: Callable[[], bytes]) -> None:
        try:
            body = self._store.load(digest, encoding, BEST[encoding])
            if body is None:
                body = compress(read(), encoding, BEST[encoding], lambda: self._closed)
                if body is None:
                    return
                self._store.save(digest, encoding, BEST[encoding], body)
            self._memory.put((digest, encoding), body, BEST[encoding])
        except OSError:
            return  # the file went away; who asks for it is told so
        finally:
            with self._lock:
                self._wanted.discard((digest, encoding))

    def _run(self) -> None:
        if hasattr(os, "setpriority"):  # on Linux a thread has a priority of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        self._store.trim()
        while not self._closed and (work := self._waiting.get()) is not None:
            work()
