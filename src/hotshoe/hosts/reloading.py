"""Dev mode: watches the files of apps, and replaces those that changed. What it finds, it says in one line each."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..apps import App, Reload, Sources, load_all
from ..config import Settings
from ..extras import need

log = logging.getLogger("hotshoe.dev")

LOOK_EVERY_MS = 2000
"""How often to look without having been told of a change: events get lost, and folders are added."""
GATHER_MS = 50

Call = Callable[[Callable[[], Any]], Awaitable[Any]]
Replace = Callable[[str, App | None], Awaitable[None]]


class Versions:
    """The version of what is served: another after each change, and in each process."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(4)
        self._count = 0
        self._changed = asyncio.Event()

    @property
    def current(self) -> str:
        """The version now."""
        return f"{self._process}-{self._count}"

    def advance(self) -> None:
        """Make it another, and wake those who wait once the caller is done."""
        self._count += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self) -> None:
        """Until the next ``advance``."""
        await self._changed.wait()


class Reloading:
    """Loads apps again when their files change: ``call`` runs what runs their code, ``replace`` serves them."""

    def __init__(self, sources: Sources, call: Call, replace: Replace) -> None:
        self._sources = sources
        self._call = call
        self._replace = replace

    async def run(self) -> None:
        """Watch until cancelled."""
        for url, error in self._sources.errors.items():
            log.error("%s is broken: %s", url, error)
        while True:
            folders = await asyncio.to_thread(self._sources.folders)
            try:
                await self._watch(folders)
            except FileNotFoundError:  # a folder has gone meanwhile
                await asyncio.sleep(GATHER_MS / 1000)
            except (OSError, RuntimeError, ExceptionGroup) as error:  # the system has no more watches, say
                log.warning("files are looked at every %g s only: %s", LOOK_EVERY_MS / 1000, error)
                await self._poll()

    async def _watch(self, folders: frozenset[Path]) -> None:
        """Look whenever something happens in one of the folders; returns when there are others to watch."""
        from watchfiles import awatch

        stop = asyncio.Event()
        events = awatch(
            *folders, stop_event=stop, recursive=False, step=GATHER_MS, debounce=4 * GATHER_MS,
            rust_timeout=LOOK_EVERY_MS, yield_on_timeout=True, ignore_permission_denied=True,
        )  # fmt: skip
        try:
            await self._look()  # at what changed before the watch began
            async for _ in events:
                await self._look()
                if await asyncio.to_thread(self._sources.folders) != folders:
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
            if changed := await asyncio.to_thread(self._sources.changes):
                await self._reload(changed)
        except Exception:
            log.exception("reloading failed")

    async def _reload(self, changed: set[Path]) -> None:
        began_s = time.monotonic()
        for reload in await self._call(partial(self._sources.reload, changed)):
            await self._replace(reload.url, reload.app)
            _say(reload, time.monotonic() - began_s)
            began_s = time.monotonic()


def _say(reload: Reload, took_s: float) -> None:
    if reload.error is not None:
        log.error("%s is broken: %s", reload.url, reload.error)
    else:
        log.info("reloaded %s: %s changed (%.0f ms)", reload.url, _names(reload.changed), took_s * 1000)


def _names(files: Sequence[Path]) -> str:
    names = [file.name for file in files]
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def load_apps(targets: Any, settings: Settings) -> tuple[Mapping[str, App], Sources | None]:
    """The apps by URL, and in dev mode where they come from. Raises ``AppError`` as ``load_all`` does.

    Raises ``ConfigError`` if dev mode is asked for, but not what it needs installed.
    """
    if not settings.dev:
        return load_all(targets, argv=settings.args), None
    need("--dev", "dev", "watchfiles")
    sources = Sources(targets, argv=settings.args, watched=settings.watch)
    return sources.apps, sources
