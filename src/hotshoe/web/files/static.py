"""Sends files: conditional and range requests, compression, and no reading on the event loop.

Starlette's ``FileResponse`` is not enough (tried with 1.10). It opens the file by its name: it follows a link that has
replaced the file since the server looked at it, and waits for a pipe that has. Its threads keep the process from ending
while a disk hangs. Under uvicorn, it cuts off a file that grows while it is sent, such as a log. It answers 400 to
ranges that RFC 9110 says to ignore, and with 206 to HEAD. It reads the file again when it sends it, so the content may
not be that of ``ETag`` and ``?v=``. It never responds with 304.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, Response

from ...base.errors import RequestError
from ...base.files import PAUSES_S, WHOLE_BYTES, open_regular, refusal, refusal_of
from ...base.threads import ThreadPool
from ...hosts.host import FILE_CHUNK_BYTES, FileInfo
from ...http.requests import headers_of, wait_for_disconnect
from ...http.responses import NO_STORE, send_response
from ...http.scopes import Receive, Scope, Send
from .negotiation import (
    Encoding,
    Memory,
    compress,
    http_date,
    matches,
    parse_range,
    preferred_encoding,
    unmodified_since,
)
from .requested_files import (
    MIN_COMPRESSED_BYTES,
    AppFile,
    Entry,
    RequestedFile,
    digest_of,
    entry_of,
    large_entry,
    load,
    read_all,
)

MEMORY_BYTES = 64 * 2**20
FRESH_S = 0.5
"""How long the server assumes that a file is unchanged after it has looked at it."""
MOST_FINDINGS = 4096
"""The largest number of remembered files and results of ``find``."""
MOST_KEY_CHARACTERS = 1000
"""Results for longer names are not remembered: a client without access may ask for 4096 names of 64 KB."""
_THREADS = 4
"""These threads wait for disks and compress, so a few large files do not delay the others."""
_ONE_YEAR_S = 31536000

_T = TypeVar("_T")
Look = Callable[[], Coroutine[Any, Any, _T]]


class StaticFiles:
    """Responds with files. A front has one; ``close`` it at the end, as it owns threads."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._memory = Memory(memory_bytes)
        self._pool = ThreadPool(_THREADS, name="hotshoe-static")
        self._running: dict[tuple[str, ...], asyncio.Task[Any]] = {}
        self._findings: OrderedDict[tuple[str, ...], tuple[float, Any]] = OrderedDict()

    async def respond(self, scope: Scope, receive: Receive, send: Send, requested: RequestedFile) -> None:
        """Respond to a request for the file, also if it does not exist.

        A client may keep a copy for a year if the query has the version of this content, or one that is valid for all
        files of the package. Any other version may be that of a file in another process of the server.
        """
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise refusal(405)
            entry = await self._entry(requested)
            answer, part = await self._answer(requested, entry, scope)
            if part is not None:
                await self._send_part(scope, receive, send, requested, entry.info, answer, part)
                return
        except RequestError as error:
            answer = _refusal_response(error.status)
        with suppress(OSError):  # ASGI 2.4: the client is gone
            await send_response(answer, scope, send)

    async def encode(self, body: bytes, accept_encoding: str) -> tuple[Encoding, bytes] | None:
        """Compress a text that is not a file, in the browser's preferred encoding; ``None`` if we do not have that."""
        encoding = preferred_encoding(accept_encoding)
        if encoding is None or len(body) < MIN_COMPRESSED_BYTES:
            return None

        async def read() -> bytes:
            return body

        return encoding, await self._compressed(digest_of(body), encoding, read)

    async def on_thread(self, function: Callable[[], _T]) -> _T:
        """Call ``function`` on a thread, and return its result. Raises ``RequestError`` (503) after ``close``."""
        try:
            future = self._pool.submit(function)
        except RuntimeError:
            raise refusal(503) from None
        return await asyncio.wrap_future(future)

    async def find(self, key: tuple[str, ...], look: Look[_T]) -> _T:
        """Call ``look``, and return its result. Concurrent callers share one call, and later ones its result, for as
        long as files are assumed to be unchanged."""
        kept = self._findings.get(key)
        now = time.monotonic()
        if kept is not None and now - kept[0] < self._fresh_s:
            return cast("_T", kept[1])
        found: _T = await self._once(key, look)
        if sum(map(len, key)) > MOST_KEY_CHARACTERS:
            return found
        self._findings[key] = now, found
        self._findings.move_to_end(key)
        if len(self._findings) > MOST_FINDINGS:
            self._findings.popitem(last=False)
        return found

    def close(self) -> None:
        """End the threads. Responses that are being sent stop."""
        self._pool.shutdown(cancel_futures=True)

    async def _once(self, key: tuple[str, ...], work: Look[_T]) -> _T:
        """Do ``work`` once for all concurrent callers. It goes on if one of them is cancelled."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(partial(self._forget, key))
        return cast("_T", await asyncio.shield(task))

    def _forget(self, key: tuple[str, ...], task: asyncio.Task[Any]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # its waiting callers get it; there may be none left

    async def _entry(self, requested: RequestedFile) -> Entry:
        key = requested.key
        kept = self._findings.get(key)
        return await self.find(key, partial(self._look, requested, None if kept is None else kept[1]))

    async def _look(self, requested: RequestedFile, known: Entry | None) -> Entry:
        info = await self._describe(requested)
        if known is not None and known.info == info:
            return known
        if info.size > WHOLE_BYTES:
            return large_entry(info)
        entry, data = await self._load(requested, info)
        self._memory.put((entry.digest, "identity"), data)
        return entry

    async def _describe(self, requested: RequestedFile) -> FileInfo:
        if isinstance(requested, AppFile):
            return await requested.host.file(requested.name)
        return await self.on_thread(requested.describe)

    async def _load(self, requested: RequestedFile, info: FileInfo) -> tuple[Entry, bytes]:
        """Read a file as a whole. Raises ``RequestError``."""
        if info.path is not None:
            return await self.on_thread(partial(load, info, info.path))
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            if info.size > WHOLE_BYTES:
                break
            assert isinstance(requested, AppFile)
            data = await read_all(requested, info)
            before, info = info, await self._describe(requested)
            if info == before and len(data) == info.size:
                return await self.on_thread(partial(entry_of, info, data)), data
        raise refusal(503)

    async def _answer(self, requested: RequestedFile, entry: Entry, scope: Scope) -> tuple[Response, range | None]:
        """The response. For a large file it has no body; it then comes with the part of the file to send."""
        headers = _common_headers(entry, scope, requested.versions)
        asked, kind, is_head = headers_of(scope), entry.content_type, scope["method"] == "HEAD"
        size, content = entry.info.size, partial(self._content, requested, entry)
        if _is_current(entry, asked):
            tag = _only_tag(asked.get("If-None-Match", "").strip()) or entry.tag()
            return Response(b"", 304, headers | {"ETag": tag}, kind), None
        try:
            wanted = None if is_head else _range(entry, asked)
        except RequestError as error:
            return _refusal_response(error.status, {"Content-Range": f"bytes */{size}"}), None
        encoding = preferred_encoding(asked.get("Accept-Encoding", ""))
        if wanted is None and encoding is not None and entry.is_compressible:
            body = await self._compressed(entry.digest, encoding, content)
            if len(body) < size:
                headers |= {"ETag": entry.tag(encoding), "Content-Encoding": encoding}
                return Response(body, 200, headers, kind), None
        headers |= {"ETag": entry.tag()}
        status, part = 200, range(size)
        if wanted is not None:
            status, part = 206, wanted
            headers |= {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}"}
        if is_head or size > WHOLE_BYTES:
            return Response(b"", status, headers | {"Content-Length": str(len(part))}, kind), None if is_head else part
        data = self._memory.get((entry.digest, "identity"))
        if data is None:
            data = await self._once(("read", entry.digest), content)
        return Response(data[part.start:part.stop], status, headers, kind), None

    async def _compressed(self, digest: str, encoding: Encoding, read: Look[bytes]) -> bytes:
        """Compress the result of ``read`` once, and keep it. ``digest`` is that of the result."""
        key = (digest, encoding)

        async def work() -> bytes:
            body = await self.on_thread(partial(compress, await read(), encoding))
            self._memory.put(key, body)
            return body

        kept = self._memory.get(key)
        return await self._once(key, work) if kept is None else kept

    async def _content(self, requested: RequestedFile, entry: Entry) -> bytes:
        """The content that has the entry's digest. Raises ``RequestError``."""
        if (kept := self._memory.get((entry.digest, "identity"))) is not None:
            return kept
        found, data = await self._load(requested, entry.info)
        if found.digest != entry.digest:
            raise refusal(503)  # rewritten since the server looked at it; the next request sees the new file
        self._memory.put((entry.digest, "identity"), data)
        return data

    async def _send_part(self, scope: Scope, receive: Receive, send: Send, requested: RequestedFile, info: FileInfo,
                         answer: Response, part: range) -> None:
        """Send a part of a large file chunk by chunk until it is done or the client is gone."""
        start = {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
        can_send_path = answer.status_code == HTTPStatus.OK and "http.response.pathsend" in scope.get("extensions", {})
        if info.path is not None and can_send_path:
            await send(start)
            await send({"type": "http.response.pathsend", "path": info.path})
            return
        file = None if info.path is None else await self.on_thread(partial(_open, info.path, part.start))
        read = partial(self._chunk, requested, info) if file is None else partial(self._chunk_of, file)
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
                self._close_later(file)

    def _close_later(self, file: BinaryIO) -> None:
        """Close the file on a thread: Python has that wait for a read under way, and the disk may hang."""
        try:
            self._pool.start(file.close)  # other than a call that is submitted, it is not cancelled at the end
        except RuntimeError:  # the server stops
            file.close()

    @staticmethod
    async def _chunk(requested: RequestedFile, info: FileInfo, part: range) -> bytes:
        assert isinstance(requested, AppFile)
        size = min(FILE_CHUNK_BYTES, len(part))
        return await requested.host.read_file(requested.name, info.identity, part.start, size)

    async def _chunk_of(self, file: BinaryIO, part: range) -> bytes:
        return await self.on_thread(partial(file.read, min(FILE_CHUNK_BYTES, len(part))))


def _open(path: str, start: int) -> BinaryIO:
    try:
        file = open_regular(Path(path))
        try:
            file.seek(start)
        except OSError:  # a pipe took the file's place
            file.close()
            raise
    except OSError as error:
        raise refusal_of(error) from None
    return file


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


def _only_tag(header: str) -> str | None:
    """The only tag of an ``If-None-Match``, so that the browser's copy keeps its tag, which names the encoding."""
    return header if re.fullmatch(r'"[^"]*"', header) else None


def _refusal_response(status: int, headers: Mapping[str, str] | None = None) -> Response:
    line = f"{status}: {HTTPStatus(status).phrase}"
    more = {405: {"Allow": "GET, HEAD"}, 503: {"Retry-After": "1"}}.get(status, {})
    return HTMLResponse(f"<html><title>{line}</title><body>{line}</body></html>", status,
                        {**NO_STORE, **more, **(headers or {})})
