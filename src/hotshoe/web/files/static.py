"""Sends files: conditional and range requests, compression, and no reading on the event loop.

Starlette's ``FileResponse`` is not enough (tried with 1.10). It opens the file by its name: it follows a link that has
replaced the file since the server looked at it, and waits for a pipe that has. Its threads keep the process from ending
while a disk hangs. Under uvicorn, it cuts off a file that grows while it is sent, such as a log. It answers 400 to
ranges that RFC 9110 says to ignore, and with 206 to HEAD. It reads the file again when it sends it, so the content may
not be that of ``ETag`` and ``?v=``. It never responds with 304.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, Response

from ...base.disks import Disks
from ...base.errors import RequestError
from ...base.files import WHOLE_BYTES, open_regular, refusal, refusal_of
from ...hosts.host import FILE_CHUNK_BYTES, FileInfo
from ...http.requests import headers_of, wait_for_disconnect
from ...http.responses import NO_STORE, send_response
from ...http.scopes import Receive, Scope, Send
from .bodies import MEMORY_BYTES, Bodies, Look, Sharing
from .negotiation import Encoding, http_date, matches, parse_range, preferred_encoding, unmodified_since
from .requested_files import MIN_COMPRESSED_BYTES, ORIGINS, UNKNOWN, AppFile, Entry, Origin, RequestedFile, digest_of

FRESH_S = 0.5
"""How long the server assumes that a file is unchanged after it has looked at it."""
MOST_FINDINGS = 4096
"""The largest number of remembered files and results of ``find``."""
MOST_KEY_CHARACTERS = 1000
"""Results for longer names are not remembered: a client without access may ask for 4096 names of 64 KB."""
SENDING_BYTES = 64 * 2**20
"""Bodies of apps' files that are being sent from memory; further ones are sent from the disk, chunk by chunk."""
_ONE_YEAR_S = 31536000
_LOADED_AS = {"script": "text/javascript; charset=utf-8", "style": "text/css; charset=utf-8"}
"""The types of files without a known one, by what a browser loads them as (``Sec-Fetch-Dest``)."""
_SHOWN = frozenset({"document", "embed", "fencedframe", "frame", "iframe", "object"})
"""Where a browser would show a file as a page."""

_T = TypeVar("_T")


class StaticFiles:
    """Responds with files. A front has one; ``close`` it at the end, as it owns threads."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._looking = Disks("hotshoe-look")
        self._reading = Disks("hotshoe-read")
        self._bodies: Mapping[Origin, Bodies] = {
            origin: Bodies(self._looking, self._reading, memory_bytes) for origin in ORIGINS}
        self._sharing = Sharing()
        self._findings: OrderedDict[tuple[str, ...], tuple[float, Any]] = OrderedDict()
        self._sending_bytes = 0

    async def respond(self, scope: Scope, receive: Receive, send: Send, requested: RequestedFile,
                      otherwise: Look[RequestedFile | None] | None = None) -> None:
        """Respond to a request for the file, also if it does not exist. ``otherwise`` finds another one in its place.

        A client may keep a copy for a year if the query has the version of this content, or one that is valid for all
        files of the package. Any other version may be that of a file in another process of the server.
        """
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise refusal(405)
            requested, entry = await self._found(requested, otherwise)
            answer, part = await self._answer(requested, entry, scope)
            if part is not None:
                await self._send_part(scope, receive, send, requested, entry.info, answer, part)
                return
        except RequestError as error:
            answer = _refusal_response(error.status)
        with suppress(OSError):  # ASGI 2.4: the client is gone
            if len(answer.body) > FILE_CHUNK_BYTES and requested.origin == "app" and scope["method"] == "GET":
                await self._send_whole(send, answer)
            else:
                await send_response(answer, scope, send)

    async def encode(self, body: bytes, accept_encoding: str) -> tuple[Encoding, bytes] | None:
        """Compress a text that is not a file, in the browser's preferred encoding; ``None`` if we do not have that."""
        encoding = preferred_encoding(accept_encoding)
        if encoding is None or len(body) < MIN_COMPRESSED_BYTES:
            return None

        async def read() -> bytes:
            return body

        compressed = await self._bodies["bokehjs"].compressed(digest_of(body), encoding, read)
        return None if compressed is None else (encoding, compressed)

    async def look(self, folder: str, function: Callable[[], _T]) -> _T:
        """Call ``function``, which looks for files of this folder, on a thread. Raises ``RequestError`` (503)."""
        return await self._looking.run(folder, function)

    async def find(self, key: tuple[str, ...], look: Look[_T]) -> _T:
        """Call ``look``, and return its result. Concurrent callers share one call, and later ones its result, for as
        long as files are assumed to be unchanged."""
        kept = self._findings.get(key)
        now = time.monotonic()
        if kept is not None and now - kept[0] < self._fresh_s:
            return cast("_T", kept[1])
        found: _T = await self._sharing.once(key, look)
        if sum(map(len, key)) > MOST_KEY_CHARACTERS:
            return found
        self._findings[key] = now, found
        self._findings.move_to_end(key)
        if len(self._findings) > MOST_FINDINGS:
            self._findings.popitem(last=False)
        return found

    def close(self) -> None:
        """End the threads. Responses that are being sent stop."""
        self._looking.close()
        self._reading.close()
        for bodies in self._bodies.values():
            bodies.close()

    async def _found(self, requested: RequestedFile,
                     otherwise: Look[RequestedFile | None] | None) -> tuple[RequestedFile, Entry]:
        try:
            return requested, await self._entry(requested)
        except RequestError as error:
            other = await otherwise() if otherwise is not None and error.status == HTTPStatus.NOT_FOUND else None
            if other is None:
                raise
            return other, await self._entry(other)

    async def _entry(self, requested: RequestedFile) -> Entry:
        key = requested.key
        kept = self._findings.get(key)
        known = None if kept is None else kept[1]
        return await self.find(key, partial(self._bodies[requested.origin].entry, requested, known))

    async def _answer(self, requested: RequestedFile, entry: Entry, scope: Scope) -> tuple[Response, range | None]:
        """The response. For a large file it has no body; it then comes with the part of the file to send."""
        asked, is_head = headers_of(scope), scope["method"] == "HEAD"
        headers, kind = _common_headers(entry, scope, requested.versions), entry.content_type
        if kind == UNKNOWN:
            kind, more = _loaded_as(asked, is_public=requested.origin != "app")
            headers |= more
        size, bodies = entry.info.size, self._bodies[requested.origin]
        content = partial(bodies.content, requested, entry)
        if _is_current(entry, asked):
            tag = _only_tag(asked.get("If-None-Match", "").strip()) or entry.tag()
            return Response(b"", 304, headers | {"ETag": tag}, kind), None
        try:
            wanted = None if is_head else _range(entry, asked)
        except RequestError as error:
            return _refusal_response(error.status, {"Content-Range": f"bytes */{size}"}), None
        encoding = preferred_encoding(asked.get("Accept-Encoding", ""))
        is_crowded = self._is_crowded(requested, size)
        if wanted is None and encoding is not None and entry.is_compressible(kind) and not is_crowded:
            body = await bodies.compressed(entry.digest, encoding, content)
            if body is not None and len(body) < size:
                headers |= {"ETag": entry.tag(encoding), "Content-Encoding": encoding}
                return Response(body, 200, headers, kind), None
        headers |= {"ETag": entry.tag()}
        status, part = 200, range(size)
        if wanted is not None:
            status, part = 206, wanted
            headers |= {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}"}
        if is_head or size > WHOLE_BYTES or is_crowded:
            return Response(b"", status, headers | {"Content-Length": str(len(part))}, kind), None if is_head else part
        data = await content()
        return Response(data[part.start:part.stop], status, headers, kind), None

    def _is_crowded(self, requested: RequestedFile, size: int) -> bool:
        """Whether so much is being sent from memory that this body must be sent from the disk."""
        return (requested.origin == "app" and size > FILE_CHUNK_BYTES
                and self._sending_bytes + size > SENDING_BYTES)

    async def _send_whole(self, send: Send, answer: Response) -> None:
        """Send a body in chunks, as a slow client must not hold more of it than a chunk once it is out of memory."""
        body = bytes(answer.body)
        self._sending_bytes += len(body)
        try:
            await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
            for start in range(0, len(body), FILE_CHUNK_BYTES):
                stop = start + FILE_CHUNK_BYTES
                chunk = body[start:stop]
                await send({"type": "http.response.body", "body": chunk, "more_body": stop < len(body)})
        finally:
            self._sending_bytes -= len(body)

    async def _send_part(self, scope: Scope, receive: Receive, send: Send, requested: RequestedFile, info: FileInfo,
                         answer: Response, part: range) -> None:
        """Send a part of a large file chunk by chunk until it is done or the client is gone."""
        start = {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
        can_send_path = answer.status_code == HTTPStatus.OK and "http.response.pathsend" in scope.get("extensions", {})
        if info.path is not None and can_send_path:
            await send(start)
            await send({"type": "http.response.pathsend", "path": info.path})
            return
        folder = requested.folder
        file = None if info.path is None else await self._reading.run(folder, partial(_open, info, part.start))
        read = partial(self._chunk, requested, info) if file is None else partial(self._chunk_of, folder, file)
        gone = asyncio.create_task(wait_for_disconnect(receive))
        try:
            chunk = await read(part)
            with suppress(OSError, RequestError):  # the client left (ASGI 2.4), the disk failed, or the server stops
                await send(start)
                while chunk and not gone.done():  # without a chunk the file is shorter now: the server disconnects
                    part = part[len(chunk):]
                    await send({"type": "http.response.body", "body": chunk, "more_body": bool(part)})
                    chunk = await read(part) if part else b""
        finally:
            gone.cancel()
            if file is not None:
                # On a thread: Python has this wait for a read under way, and the disk may hang.
                self._reading.start(folder, file.close)

    @staticmethod
    async def _chunk(requested: RequestedFile, info: FileInfo, part: range) -> bytes:
        assert isinstance(requested, AppFile)
        size = min(FILE_CHUNK_BYTES, len(part))
        return await requested.host.read_file(requested.name, info.identity, part.start, size)

    async def _chunk_of(self, folder: str, file: BinaryIO, part: range) -> bytes:
        return await self._reading.run(folder, partial(file.read, min(FILE_CHUNK_BYTES, len(part))))


def _open(info: FileInfo, start: int) -> BinaryIO:
    """Open a file of this machine. Blocks. Raises ``RequestError``."""
    assert info.path is not None
    try:
        file = open_regular(Path(info.path))
        try:
            file.seek(start)  # raises if a pipe took the file's place
            if info.size <= WHOLE_BYTES and _has_changed(file, info):
                raise refusal(503)  # ``ETag`` has the digest of the content before
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise refusal_of(error) from None
    return file


def _has_changed(file: BinaryIO, info: FileInfo) -> bool:
    status = os.fstat(file.fileno())
    return (status.st_size, status.st_mtime_ns) != (info.size, info.modified_ns)


def _is_current(entry: Entry, asked: dict[str, str]) -> bool:
    if "If-None-Match" in asked:  # takes precedence: RFC 9110, section 13.2.2
        return matches(asked["If-None-Match"], entry.digest)
    return "If-Modified-Since" in asked and unmodified_since(asked["If-Modified-Since"], entry.info.modified_ns)


def _range(entry: Entry, asked: dict[str, str]) -> range | None:
    current = entry.tag(), http_date(entry.info.modified_ns)
    if "Range" not in asked or asked.get("If-Range", entry.tag()) not in current:
        return None
    return parse_range(asked["Range"], entry.info.size)


def _common_headers(entry: Entry, scope: Scope, versions: frozenset[str]) -> dict[str, str]:
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v", [])
    is_version = len(asked) == 1 and asked[0] in {entry.version, *versions}
    return {
        "Last-Modified": http_date(entry.info.modified_ns),
        "Cache-Control": f"public, max-age={_ONE_YEAR_S}, immutable" if is_version else "no-cache",
        "Accept-Ranges": "bytes",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }


def _loaded_as(asked: Mapping[str, str], *, is_public: bool) -> tuple[str, dict[str, str]]:
    """The media type that the browser needs for a file without a known one, and headers that let it run scripts.

    An app's file may be data, so a page of another site does not get it as a script. Without nosniff, browsers run a
    script of an unknown type as they do with ``bokeh serve``; with it, they show none as a page.
    """
    vary = {"Vary": "Accept-Encoding, Sec-Fetch-Dest, Sec-Fetch-Site"}
    loaded_as = asked.get("Sec-Fetch-Dest", "")
    is_foreign = asked.get("Sec-Fetch-Site") == "cross-site" and not is_public
    if is_foreign or loaded_as in _SHOWN:
        return UNKNOWN, vary
    return _LOADED_AS.get(loaded_as, UNKNOWN), {**vary, "X-Content-Type-Options": ""}


def _only_tag(header: str) -> str | None:
    """The only tag of an ``If-None-Match``, so that the browser's copy keeps its tag, which names the encoding."""
    return header if re.fullmatch(r'"[^"]*"', header) else None


def _refusal_response(status: int, headers: Mapping[str, str] | None = None) -> Response:
    line = f"{status}: {HTTPStatus(status).phrase}"
    more = {405: {"Allow": "GET, HEAD"}, 503: {"Retry-After": "1"}}.get(status, {})
    return HTMLResponse(f"<html><title>{line}</title><body>{line}</body></html>", status,
                        {**NO_STORE, **more, **(headers or {})})
