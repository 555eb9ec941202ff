"""The contents of files, as they are and compressed: each is read and compressed once, and kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar, cast

from ...base.disks import Disks
from ...base.files import PAUSES_S, WHOLE_BYTES, refusal
from ...base.threads import ThreadPool
from ...hosts.host import FileInfo
from .negotiation import Encoding, Memory, compress
from .requested_files import AppFile, Entry, RequestedFile, describe, entry_of, large_entry, load, read_all

MEMORY_BYTES = 64 * 2**20
COMPRESSORS = 2
"""The threads that compress."""
WAITING_MOST = 8
"""How many texts may wait to be compressed, with their contents in memory; others are sent plain."""
PATIENCE_S = 3.0
"""How long a response waits until its text is compressed, before it is sent plain: proxies have time limits."""

_T = TypeVar("_T")
Look = Callable[[], Coroutine[Any, Any, _T]]
Key = tuple[str, ...]


class Sharing:
    """Does each work once for all concurrent callers."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Any]] = {}

    async def once(self, key: Key, work: Look[_T]) -> _T:
        """The result of ``work``. It goes on if one of its callers is cancelled."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(partial(self._forget, key))
        return cast("_T", await asyncio.shield(task))

    def _forget(self, key: Key, task: asyncio.Task[Any]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # its waiting callers get it; there may be none left


class Bodies:
    """Reads and compresses the files of one origin.

    Each origin has bodies of its own, so that files of apps do not drive BokehJS out of memory, nor keep it waiting.
    """

    def __init__(self, looking: Disks, reading: Disks, memory_bytes: int = MEMORY_BYTES) -> None:
        self._looking = looking
        self._reading = reading
        self._memory = Memory(memory_bytes)
        self._compressors = ThreadPool(COMPRESSORS, name="hotshoe-compress")
        self._compressions = 0
        """Texts that are compressed, or wait for it."""
        self._sharing = Sharing()

    def close(self) -> None:
        """End the threads."""
        self._compressors.shutdown(cancel_futures=True)

    async def entry(self, requested: RequestedFile, known: Entry | None) -> Entry:
        """The file as it is now. ``known`` is how it was when the server last looked. Raises ``RequestError``."""
        info = await describe(requested, self._looking)
        if known is not None and known.info == info:
            return known
        if info.size > WHOLE_BYTES:
            return large_entry(info)
        entry, data = await self._load(requested, info)
        self._memory.put((entry.digest, "identity"), data)
        return entry

    async def content(self, requested: RequestedFile, entry: Entry) -> bytes:
        """The content that has the entry's digest. Raises ``RequestError``."""
        key = (entry.digest, "identity")
        if (kept := self._memory.get(key)) is not None:
            return kept

        async def read() -> bytes:
            found, data = await self._load(requested, entry.info)
            if found.digest != entry.digest:
                raise refusal(503)  # rewritten since the server looked at it; the next request sees the new file
            self._memory.put(key, data)
            return data

        return await self._sharing.once(key, read)

    async def compressed(self, digest: str, encoding: Encoding, read: Look[bytes]) -> bytes | None:
        """The result of ``read``, compressed; ``None`` if that would take long. ``digest`` is that of the result.

        What has begun goes on, for the next request.
        """
        key = (digest, encoding)
        if (kept := self._memory.get(key)) is not None:
            return kept
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._sharing.once(key, partial(self._compress, key, encoding, read))
        except TimeoutError:
            return None

    async def _compress(self, key: Key, encoding: Encoding, read: Look[bytes]) -> bytes | None:
        if self._compressions >= COMPRESSORS + WAITING_MOST:
            return None
        self._compressions += 1
        try:
            body = await self._on_compressor(partial(compress, await read(), encoding))
        finally:
            self._compressions -= 1
        if body is not None:
            self._memory.put(key, body)
        return body

    async def _on_compressor(self, function: Callable[[], bytes]) -> bytes | None:
        """The result of ``function``; ``None`` if it has not begun in time."""
        try:
            call = self._compressors.submit(function)
        except RuntimeError:  # closed
            raise refusal(503) from None
        result = asyncio.wrap_future(call)
        done, _ = await asyncio.wait([result], timeout=PATIENCE_S)
        return None if not done and call.cancel() else await result

    async def _load(self, requested: RequestedFile, info: FileInfo) -> tuple[Entry, bytes]:
        """Read a file as a whole. Raises ``RequestError``."""
        if info.path is not None:
            return await self._reading.run(requested.folder, partial(load, info, info.path))
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            if info.size > WHOLE_BYTES:
                break
            assert isinstance(requested, AppFile)
            data = await read_all(requested, info)
            before, info = info, await describe(requested, self._looking)
            if info == before and len(data) == info.size:
                return await self._reading.run(requested.folder, partial(entry_of, info, data)), data
        raise refusal(503)
