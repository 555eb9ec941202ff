"""Files below a folder over HTTP: conditional, ranged, compressed once, and never read on the event loop.

The path is the browser's and is not trusted; the folder is ours.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from hotshoe.errors import RequestError
from hotshoe.web.compression import Compressed, Compressor, Encoding, Memory, Store, acceptable, cache_folder
from hotshoe.web.conditions import Range, http_date, matches, parse_range, unmodified_since
from hotshoe.web.files import (
    MIN_COMPRESSED_BYTES,
    WHOLE_BYTES,
    Entry,
    content_type,
    digest_of,
    open_regular,
    read_whole,
    refusal,
    refused,
    resolve,
    segments,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from hotshoe.web.answers import Receive, Scope, Send

MEMORY_BYTES = 64 * 2**20
FRESH_S = 0.5
"""How long a file that was just looked at is taken to be unchanged."""
MAX_ENTRIES = 4096
_CHUNK = 256 * 1024
_ONE_YEAR_S = 31536000

Headers: TypeAlias = "list[tuple[bytes, bytes]]"


class StaticFiles:
    """Answers for files below folders; one for a front. ``close`` it, it owns threads."""

    def __init__(
        self, *, cache: Path | None = None, memory_bytes: int = MEMORY_BYTES, fresh_s: float = FRESH_S
    ) -> None:
        self._fresh_s = fresh_s
        self._memory = Memory(memory_bytes)
        self._compressor = Compressor(Store(cache or cache_folder()), self._memory)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="hotshoe-static")
        self._entries: OrderedDict[tuple[Path, str], Entry] = OrderedDict()
        self._running: dict[tuple[str, ...], Future[Any]] = {}

    async def respond(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        root: Path,
        relative: str,
        *,
        follow_links: bool = False,
    ) -> None:
        """Answer a request for the file ``relative`` (decoded) below ``root``; also when it can't be had.

        ``follow_links`` lets links lead out of ``root``: for folders that a package manager may have made of
        links, never for an app's own.
        """
        headers = _read_headers(scope)
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise refusal(405)
            # One name for each file, however it is written: entries are kept by it.
            relative = "/".join(segments(relative)) + "/" * relative.endswith("/")
            entry = await self._entry(root, relative, follow_links)
            await self._answer(scope, receive, send, entry, headers)
        except RequestError as error:
            await _send_refusal(scope, send, error.status)

    async def encoded(self, body: bytes, accept_encoding: str) -> Compressed | None:
        """A text that is in no file, in the encoding that the browser likes best; ``None`` as it is."""
        encoding = acceptable(accept_encoding)
        if encoding is None or len(body) < MIN_COMPRESSED_BYTES:
            return None
        return await self._compressed(digest_of(body), encoding, lambda: body)

    def prepare(self, paths: Iterable[Path]) -> None:
        """Compress these files at the best level, one by one, in the background."""
        for path in paths:
            self._compressor.background(lambda path=path: self._prepare(path))  # type: ignore[misc]

    def close(self) -> None:
        """End the threads. Answers under way break off."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._compressor.close()

    def _prepare(self, path: Path) -> None:
        try:
            data, _ = read_whole(path.resolve(strict=True))
        except OSError:
            return
        self._compressor.prepare(digest_of(data), "br", lambda: data)

    # -- looking at files

    async def _entry(self, root: Path, relative: str, follow_links: bool) -> Entry:
        known = self._entries.get((root, relative))
        if known is not None and time.monotonic() - known.seen_at < self._fresh_s:
            return known
        entry: Entry = await self._once(
            ("look", str(root), relative), lambda: self._look(root, relative, follow_links, known)
        )
        self._entries[root, relative] = entry
        self._entries.move_to_end((root, relative))
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)
        return entry

    def _look(self, root: Path, relative: str, follow_links: bool, known: Entry | None) -> Entry:
        path, status = resolve(root, relative, follow_links=follow_links)
        now = time.monotonic()
        if known and (known.path, known.mtime_ns, known.size) == (path, status.st_mtime_ns, status.st_size):
            return replace(known, seen_at=now)
        try:
            if status.st_size <= WHOLE_BYTES:
                data, status = read_whole(path)
                digest = digest_of(data)
                self._memory.put((digest, "identity"), data)
            else:  # hashing gigabytes would take seconds; any change of a large file changes these two
                digest = f"{status.st_mtime_ns:x}-{status.st_size:x}"
        except OSError as error:
            raise refused(error) from None
        return Entry(path, status.st_size, status.st_mtime_ns, digest, content_type(path.name), now)

    async def _once(self, key: tuple[str, ...], work: Any) -> Any:
        """Run ``work`` in a thread, once for all who ask at the same time; one who leaves does not end it."""
        future = self._running.get(key)
        if future is None:
            try:
                future = self._running[key] = self._pool.submit(work)
            except RuntimeError:  # closed
                raise refusal(503) from None
            future.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(asyncio.wrap_future(future))

    # -- answering

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, entry: Entry, headers: dict[str, str]
    ) -> None:
        fixed = _common_headers(entry, scope)
        if self._is_current(entry, headers):
            tag = f'"{entry.digest}"'
            shown = headers.get("if-none-match", "").strip()
            await _send(send, 304, [*fixed, (b"etag", _only_tag(shown) or tag.encode())])
            return
        wanted = self._range(entry, headers)
        if isinstance(wanted, int):
            await _send_refusal(scope, send, 416, [(b"content-range", b"bytes */%d" % entry.size)])
            return
        encoding = acceptable(headers.get("accept-encoding", ""))
        if wanted is None and encoding is not None and entry.compressible:
            compressed = await self._compressed(entry.digest, encoding, lambda: self._content(entry))
            if len(compressed.body) < entry.size:
                await _send_compressed(scope, send, entry, compressed, fixed)
                return
        await self._send_plain(scope, receive, send, entry, wanted, fixed)

    def _is_current(self, entry: Entry, headers: dict[str, str]) -> bool:
        if "if-none-match" in headers:  # takes precedence: RFC 9110, section 13.2.2
            return matches(headers["if-none-match"], entry.digest)
        return "if-modified-since" in headers and unmodified_since(
            headers["if-modified-since"], entry.mtime_ns
        )

    def _range(self, entry: Entry, headers: dict[str, str]) -> Range | int | None:
        condition = headers.get("if-range")
        if "range" not in headers or (
            condition is not None and condition not in (f'"{entry.digest}"', http_date(entry.mtime_ns))
        ):
            return None
        try:
            return parse_range(headers["range"], entry.size)
        except RequestError as error:
            return error.status

    async def _compressed(self, digest: str, encoding: Encoding, read: Callable[[], bytes]) -> Compressed:
        found = self._compressor.cached(digest, encoding)
        if found is not None:
            return found
        compressed: Compressed = await self._once(
            ("compress", digest, encoding), lambda: self._compressor.get(digest, encoding, read)
        )
        return compressed

    def _content(self, entry: Entry) -> bytes:
        """The bytes that the entry's digest stands for. Blocks."""
        if (kept := self._memory.get((entry.digest, "identity"))) is not None:
            return kept[0]
        try:
            data, _ = read_whole(entry.path)
        except OSError as error:
            raise refused(error) from None
        if digest_of(data) != entry.digest:
            raise refusal(503)  # rewritten since it was looked at; the next request sees the new file
        self._memory.put((entry.digest, "identity"), data)
        return data

    async def _send_plain(
        self, scope: Scope, receive: Receive, send: Send, entry: Entry, wanted: Range | None, fixed: Headers
    ) -> None:
        part = wanted or Range(0, entry.size)
        headers = [
            *fixed,
            (b"etag", f'"{entry.digest}"'.encode()),
            (b"content-length", b"%d" % (part.end - part.start)),
        ]
        if wanted:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (part.start, part.end - 1, entry.size)))
        status = 206 if wanted else 200
        if scope["method"] == "HEAD" or part.start == part.end:
            await _send(send, status, headers)
        elif entry.size <= WHOLE_BYTES:
            kept = self._memory.get((entry.digest, "identity"))
            data = kept[0] if kept else await self._once(("read", entry.digest), lambda: self._content(entry))
            await _send(send, status, headers, data[part.start : part.end])
        elif wanted is None and "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.pathsend", "path": str(entry.path)})
        else:
            await self._stream(receive, send, entry, part, (status, headers))

    async def _stream(
        self, receive: Receive, send: Send, entry: Entry, part: Range, start: tuple[int, Headers]
    ) -> None:
        """Send a part of a large file chunk by chunk until it is done or the client is gone."""
        loop = asyncio.get_running_loop()
        try:
            file = await loop.run_in_executor(self._pool, open_regular, entry.path)
        except (OSError, RuntimeError) as error:
            raise (refused(error) if isinstance(error, OSError) else refusal(503)) from None
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": start[0], "headers": start[1]})
            await loop.run_in_executor(self._pool, file.seek, part.start)
            left = part.end - part.start
            while left and not gone.done():
                chunk = await loop.run_in_executor(self._pool, file.read, min(_CHUNK, left))
                if not chunk:
                    return  # the file became shorter: the server cuts the connection, the browser sees it
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        except (OSError, RuntimeError):
            return  # the client left (ASGI 2.4), the disk failed or the server stops: all one to the browser
        finally:
            gone.cancel()
            file.close()


def _read_headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _common_headers(entry: Entry, scope: Scope) -> Headers:
    versioned = bool(parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=None).get("v"))
    caching = f"public, max-age={_ONE_YEAR_S}, immutable" if versioned else "no-cache"
    return [
        (b"content-type", entry.content_type.encode("latin-1")),
        (b"last-modified", http_date(entry.mtime_ns).encode()),
        (b"cache-control", caching.encode()),
        (b"accept-ranges", b"bytes"),
        (b"vary", b"Accept-Encoding"),
        (b"x-content-type-options", b"nosniff"),
    ]


def _only_tag(header: str) -> bytes | None:
    """The tag of an ``If-None-Match`` that holds one: a browser's copy keeps the tag of its encoding."""
    return header.encode("latin-1") if re.fullmatch(r'"[^"]*"', header) else None


async def _send_compressed(
    scope: Scope, send: Send, entry: Entry, compressed: Compressed, fixed: Headers
) -> None:
    headers = [
        *fixed,
        (b"etag", f'"{entry.digest}-{compressed.encoding}{compressed.level}"'.encode()),
        (b"content-encoding", compressed.encoding.encode()),
        (b"content-length", b"%d" % len(compressed.body)),
    ]
    await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else compressed.body)


async def _send_refusal(scope: Scope, send: Send, status: int, extra: Headers | None = None) -> None:
    line = f"{status}: {HTTPStatus(status).phrase}"
    body = f"<html><title>{line}</title><body>{line}</body></html>".encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *([(b"allow", b"GET, HEAD")] if status == 405 else []),
        *(extra or []),
    ]
    await _send(send, status, headers, b"" if scope["method"] == "HEAD" else body)


async def _send(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    except OSError:
        return  # ASGI 2.4: the client is gone


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
