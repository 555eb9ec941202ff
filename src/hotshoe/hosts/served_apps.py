"""The apps of a host by URL. The host loads them when it is made, and adds, replaces and withdraws apps while it runs.

The front sees them as a snapshot, ``infos``, which is a new mapping after each change.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..apps import App
from ..apps.clashes import warn_of_clashes
from ..apps.loading import load_at, place
from ..base.errors import AppError, RequestError
from ..base.tasks import Deadline
from ..base.tracebacks import in_one_line
from ..config import TABLE, Settings, apps_in
from ..http.paths import normalized_url
from ..sessions import Registry
from .app_threads import AppThreads
from .host import AppInfo
from .reloading import Reloading, load_apps
from .server_hooks import ServerHooks

log = logging.getLogger("hotshoe.host")

SESSIONS_SHARE = 0.95
"""The sessions' share of the time for stopping; the rest is for changes under way and the unload hooks."""
CHANGES_SHARE = 0.5
"""The share of that rest for the apps that are being added, replaced or withdrawn."""


class Registries(dict[str, Registry]):
    """A registry for each app, by URL. A URL without an app raises ``RequestError``."""

    def __missing__(self, url: str) -> Registry:
        raise RequestError(f"no app at {url}", status=404)


class ServedApps:
    """Loads ``targets``, and keeps a registry for each app. Calls ``notify`` after each change of ``infos``.

    Raises ``AppError`` for a target that is not an app, ``ConfigError`` if a setting needs a package that is not
    installed.
    """

    def __init__(self, targets: Any, settings: Settings, threads: AppThreads, *, reloads: bool,
                 notify: Callable[[], None]) -> None:
        self._dev = settings.dev
        self._argv = settings.args
        self._notify = notify
        self._process = secrets.token_hex(4)
        self._version_count = 0
        self._threads = threads
        apps, self._sources = load_apps(targets, settings, threads.call, reloads=reloads)
        self._apps = dict(apps)
        warn_of_clashes(self._apps)
        _warn_of_unknown(settings, self._apps)
        self.infos: Mapping[str, AppInfo] = {url: self._describe(url, app) for url, app in self._apps.items()}
        self.registries = Registries()
        """One for each app, by URL; always the same mapping."""
        self.hooks = ServerHooks(threads, dev=self._dev)
        self._ended_before = 0
        """Sessions of apps that were withdrawn."""
        self._new_registry: Callable[[App, str], Registry] | None = None
        self._changing = asyncio.Lock()
        """Held while an app is added, replaced or withdrawn."""
        self._changes: set[asyncio.Task[None]] = set()

    async def start(self, new_registry: Callable[[App, str], Registry]) -> None:
        """Make the registries, and run the load hooks."""
        self._new_registry = new_registry
        self._changing = asyncio.Lock()  # of this loop
        self.registries.clear()
        self.registries.update({url: new_registry(app, url) for url, app in self._apps.items()})
        await self.hooks.load_all(self.registries.values())
        self._apps = {url: registry.app for url, registry in self.registries.items()}

    async def stop(self, deadline: Deadline) -> None:
        """End every session and run the unload hooks."""
        self._new_registry = None
        sessions = deadline.share(SESSIONS_SHARE)
        await asyncio.gather(*(registry.close(sessions) for registry in list(self.registries.values())))
        await self._wait_for_changes(deadline.share(CHANGES_SHARE))  # to unload what a change has loaded
        await self.hooks.unload_all(list(self.registries.values()), deadline)
        await self._wait_for_changes(deadline)

    async def _wait_for_changes(self, deadline: Deadline) -> None:
        if self._changes:
            await asyncio.wait(self._changes, timeout=deadline.left_s)

    @property
    def ended_count(self) -> int:
        """Sessions that have ended so far."""
        return self._ended_before + sum(registry.ended_count for registry in self.registries.values())

    @property
    def held_count(self) -> int:
        """Sessions that live or are being built."""
        return sum(registry.held_count for registry in self.registries.values())

    def apps_with(self, module: Path) -> tuple[str, ...]:
        """The apps that a module belongs to, by its file: the app's own program, one that is beside it, or any app if
        it is a library."""
        sources = {url: registry.app.source for url, registry in self.registries.items()}
        if own := tuple(url for url, source in sources.items() if source == module):
            return own
        depths = {url: len(source.parts) for url, source in sources.items()
                  if source is not None and module.is_relative_to(source.parent)}
        if not depths or "site-packages" in module.parts:
            return tuple(sources)
        nearest = max(depths.values())
        return tuple(url for url, source in sources.items() if source is None or depths.get(url) == nearest)

    def reloading(self) -> Reloading | None:
        """The object that watches the apps' files; ``None`` if they are not watched."""
        if self._sources is None:
            return None
        return Reloading(self._sources, self._changing, self.hooks.call_loader, self.replace)

    async def serve(self, url: str, target: Any) -> None:
        """Load ``target``, run its load hook, and serve it at ``url``. Raises ``AppError``."""
        await self._carry_out(self._serve(url, target))

    async def withdraw(self, url: str) -> None:
        """End the sessions of the app, and run its unload hook. Raises ``RequestError`` if there is no app."""
        await self._carry_out(self._withdraw(url))

    async def _carry_out(self, change: Coroutine[Any, Any, None]) -> None:
        """Complete a change even if the caller is cancelled. ``stop`` waits for it."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        await asyncio.shield(task)

    async def replace(self, url: str, app: App | None) -> None:
        """Use ``app`` for new sessions, and let open pages load again; with ``None``, do only the latter.

        The hooks for the server's start and end run if they differ from those before. An app that has been withdrawn
        stays so.
        """
        if (registry := self.registries.get(url)) is None:
            return
        if app is not None:
            app = await self.hooks.reload(app, registry)
            registry.replace_app(app)
        self._publish(url, registry.app)

    async def _serve(self, url: str, target: Any) -> None:
        async with self._changing:
            self._registry_maker()
            ((url, target),) = place({url: target}).items()
            try:
                await self._add(url, target)
            finally:
                if url not in self.registries:
                    self._threads.forget(url)

    async def _add(self, url: str, target: Any) -> None:
        app: App = await self.hooks.call_loader(partial(self._load, url, target))
        new_registry = self._registry_maker()
        known = self.registries.get(url)
        registry = new_registry(app, url) if known is None else known
        app = await self._run_load_hook(app, registry)
        if self._new_registry is None:  # the host has stopped meanwhile
            await self.hooks.unload(app, registry)
        self._registry_maker()
        replaced = registry.app
        if app is not replaced:
            registry.replace_app(app)
        self.registries[url] = registry
        self._publish(url, app)
        if known is not None:  # last: a stop that begins meanwhile has to find the new app
            await self.hooks.unload(replaced, known)

    def _load(self, url: str, target: Any) -> App:
        if self._sources is not None:
            return self._sources.add(url, target)
        return self._threads.call(url, partial(load_at, url, target, self._argv))

    def _registry_maker(self) -> Callable[[App, str], Registry]:
        """Makes registries. Raises ``RequestError`` if the host stops or has stopped."""
        if self._new_registry is None:
            raise RequestError("the server is stopping", status=503)
        return self._new_registry

    async def _run_load_hook(self, app: App, registry: Registry) -> App:
        try:
            return await self.hooks.load(app, registry)
        except Exception as error:
            raise AppError(f"on_server_loaded of the app at {registry.url} failed: {in_one_line(error)}") from error

    async def _withdraw(self, url: str) -> None:
        async with self._changing:
            self._registry_maker()  # ``stop`` ends the sessions of all apps that are left
            url = normalized_url(url)
            registry = self.registries[url]
            del self.registries[url], self._apps[url]
            if self._sources is not None:
                self._sources.remove(url)
            self.infos = {key: info for key, info in self.infos.items() if key != url}
            self._notify()  # before its sessions end, so that no new ones are opened
            deadline = Deadline()
            await registry.close(deadline.share(SESSIONS_SHARE))
            self._ended_before += registry.ended_count
            await self.hooks.unload_all([registry], deadline)
            self._threads.forget(url)

    def _publish(self, url: str, app: App) -> None:
        """Update the front's description of the app."""
        self._apps[url] = app
        self._version_count += 1
        self.infos = {**self.infos, url: self._describe(url, app)}
        self._notify()

    def _describe(self, url: str, app: App) -> AppInfo:
        return AppInfo(
            url,
            app.title,
            app.description,
            has_static=app.static_dir is not None,
            thumbnail="" if app.thumbnail is None else app.thumbnail.name,
            source="" if app.source is None else app.source.name,
            version=f"{self._process}-{self._version_count}" if self._dev else "",
            has_process_request=app.hooks.process_request is not None,
            origin=blake2b(app.origin.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest(),
        )


def _warn_of_unknown(settings: Settings, apps: Collection[str]) -> None:
    """Log a warning for each setting with a value for an app that is not served, which may be a slip."""
    for row in (row for row in TABLE if row.doc.of_app is not None):
        if unknown := [url for url in apps_in(getattr(settings, row.name)) if url not in apps]:
            log.warning("No app is at %s now, which %s names; the apps are at %s",
                        ", ".join(unknown), row.key, ", ".join(sorted(apps)))
