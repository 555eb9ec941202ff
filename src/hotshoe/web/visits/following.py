"""In dev mode, a websocket tells a page when its app has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from ...base.shared import Shared, Space
from ...base.tasks import start as start_task
from ...hosts.host import AppInfo, AppsChanged, Event, Host
from ...http.requests import arguments_of, last, wait_for_disconnect
from ...http.scopes import Receive, Scope, Send
from .tickets import digest_of

VERSIONS = Space("versions of apps", most_entries=10_000, most_bytes=1 << 20)
"""A key for each version of an app that some process serves."""


class Versions:
    """The versions of apps that this and all other processes serve. A part of the front in dev mode."""

    def __init__(self, host: Host, shared: Shared) -> None:
        self._host = host
        self._shared = shared
        self._published: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def handle_event(self, event: Event) -> None:
        """Publish what the host serves now, if that has changed."""
        if isinstance(event, AppsChanged):
            self._changed.set()

    async def start(self) -> None:
        """Publish the versions from now on."""
        self._changed = asyncio.Event()  # of this loop
        await self._publish(self._host.apps)
        self._task = start_task("publishing the versions of apps", self._run)

    async def stop(self) -> None:
        """Withdraw this process's versions."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._publish({})

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            await self._publish(self._host.apps)
            await self._changed.wait()

    async def _publish(self, apps: Mapping[str, AppInfo]) -> None:
        served = frozenset(digest_of(url, info.version) for url, info in apps.items())
        for key in served - self._published:
            await self._shared.put(VERSIONS, key, b"", None)
        for key in self._published - served:
            await self._shared.take(VERSIONS, key)
        self._published = served

    async def wait_until_outdated(self, app: str, version: str) -> None:
        """Wait until no process serves this version of the app, or this process no longer serves the app."""
        revision = (await self._shared.changes(VERSIONS)).revision
        while app in self._host.apps:
            if self._host.apps[app].version != version:
                [served] = await self._shared.get(VERSIONS, digest_of(app, version))
                if served is None:
                    return
            revision = (await self._shared.changes(VERSIONS, revision)).revision


class Followers:
    """Websockets of pages in dev mode. Each names its app and version, and gets a message when that is outdated."""

    def __init__(self, host: Host, versions: Versions) -> None:
        self._host = host
        self._versions = versions
        self._waiting: set[asyncio.Task[None]] = set()

    def app_of(self, scope: Scope) -> AppInfo | None:
        """The app that a websocket names."""
        return self._host.apps.get(last(arguments_of(scope.get("query_string", b"")), "app") or "")

    async def serve(self, scope: Scope, app: AppInfo, receive: Receive, send: Send) -> None:
        """Serve one websocket, whose origin was checked and whose user may open the app."""
        version = last(arguments_of(scope.get("query_string", b"")), "version") or ""
        with suppress(OSError):  # the page is gone
            await send({"type": "websocket.accept"})
            await self._follow(app.url, version, receive, send)

    async def _follow(self, app: str, version: str, receive: Receive, send: Send) -> None:
        changed = asyncio.create_task(self._versions.wait_until_outdated(app, version))
        gone = asyncio.create_task(wait_for_disconnect(receive))
        self._waiting.add(changed)
        try:
            await asyncio.wait((changed, gone), return_when=asyncio.FIRST_COMPLETED)
            if changed.done() and not gone.done():
                if not changed.cancelled():
                    await send({"type": "websocket.send", "text": "changed"})
                await send({"type": "websocket.close", "code": 1001 if changed.cancelled() else 1000})
        finally:
            self._waiting.discard(changed)
            changed.cancel()
            gone.cancel()
            await asyncio.gather(changed, gone, return_exceptions=True)

    def close(self) -> None:
        """Close all websockets, because the server stops."""
        for task in self._waiting:
            task.cancel()
