"""Dev mode: watches the files of apps, loads an app again when its files change, and logs one line for each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..apps import App, Reload, Sources, load_all
from ..apps.loading import LoadCall, directly
from ..base.extras import need
from ..base.logs import PacedLog
from ..base.process_threads import in_thread
from ..config import Settings

log = logging.getLogger("hotshoe.dev")
_paced = PacedLog(log, most=1)

LOOK_EVERY_MS = 2000
"""Interval for looking at the files without an event: events get lost, and new folders appear."""
GATHER_MS = 50
RELOADS_MOST, RELOADS_IN_S = 10, 20.0
"""Most reloads in that time. A program saves no faster; a session that writes a file beside its app does: the page
reloads, which makes a new session, and so on without end."""

Call = Callable[[Callable[[], Any]], Awaitable[Any]]
Replace = Callable[[str, App | None], Awaitable[None]]


class Reloading:
    """Loads apps again when their files change. It holds ``lock`` meanwhile.

    ``call`` runs a function that runs apps' code; ``replace`` serves the new app.
    """

    def __init__(self, sources: Sources, lock: asyncio.Lock, call: Call, replace: Replace) -> None:
        self._sources = sources
        self._lock = lock
        self._call = call
        self._replace = replace
        self._reloaded_s: deque[float] = deque(maxlen=RELOADS_MOST)

    async def run(self) -> None:
        """Watch until cancelled."""
        for url, error in self._sources.errors.items():
            log.error("%s is broken: %s", url, error)
        while True:
            folders = await in_thread(self._sources.folders)
            try:
                await self._watch(folders)
            except FileNotFoundError:  # a folder has been removed meanwhile
                await asyncio.sleep(GATHER_MS / 1000)
            except (OSError, RuntimeError, ExceptionGroup) as error:  # e.g. too many watches
                log.warning("No file notifications (%s); polling every %g s", error, LOOK_EVERY_MS / 1000)
                await self._poll()

    async def _watch(self, folders: frozenset[Path]) -> None:
        """Look after each event in one of the folders. Returns when there are other folders to watch."""
        from watchfiles import awatch

        stop = asyncio.Event()
        events = awatch(
            *folders, stop_event=stop, recursive=False, step=GATHER_MS, debounce=4 * GATHER_MS,
            rust_timeout=LOOK_EVERY_MS, yield_on_timeout=True, ignore_permission_denied=True,
        )  # fmt: skip
        try:
            await self._look()  # files may have changed before the watch began
            async for _ in events:
                await self._look()
                if await in_thread(self._sources.folders) != folders:
                    return
        finally:
            stop.set()
            await events.aclose()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
            await self._look()

    async def _look(self) -> None:
        try:
            if changed := await in_thread(self._sources.changes):
                await self._calm_down(changed)
                await self._reload(changed)
        except Exception:
            log.exception("reloading failed")

    async def _calm_down(self, changed: Collection[Path]) -> None:
        """Wait if files change all the time."""
        if len(self._reloaded_s) == RELOADS_MOST:
            wait_s = self._reloaded_s[0] + RELOADS_IN_S - time.monotonic()
            if wait_s > 0:
                _paced.warning("%s changed: the %dth change in %g s, waiting; if the app itself writes there, let it "
                               "write to another folder", _names(sorted(changed)), RELOADS_MOST + 1, RELOADS_IN_S)
                await asyncio.sleep(wait_s)
        self._reloaded_s.append(time.monotonic())

    async def _reload(self, changed: set[Path]) -> None:
        began_s = time.monotonic()
        async with self._lock:
            for reload in await self._call(partial(self._sources.reload, changed)):
                await self._replace(reload.url, reload.app)
                _log_reload(reload, time.monotonic() - began_s)
                began_s = time.monotonic()


def _log_reload(reload: Reload, took_s: float) -> None:
    if reload.error is not None:
        log.error("%s is broken: %s", reload.url, reload.error)
    else:
        log.info("reloaded %s: %s changed (%.0f ms)", reload.url, _names(reload.changed), took_s * 1000)


def _names(files: Sequence[Path]) -> str:
    names = [file.name for file in files]
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def load_apps(targets: Any, settings: Settings, call: LoadCall = directly, *,
              reloads: bool = True) -> tuple[Mapping[str, App], Sources | None]:
    """Load the apps, by URL, each by ``call``; in dev mode with ``reloads``, also their sources.

    Raises the errors of ``load_all``, and ``ConfigError`` in dev mode if watchfiles is not installed.
    """
    if not (settings.dev and reloads):
        return load_all(targets, argv=settings.args, call=call), None
    need("--dev", "dev", "watchfiles")
    sources = Sources(targets, argv=settings.args, watched=settings.watch, call=call)
    return sources.apps, sources
