"""The host that runs apps in the front's own process: sessions are called directly, nothing is copied."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bokeh.document import Document

from .. import pages
from ..apps import App, Request, Sources, broken, describe
from ..apps.tracebacks import in_one_line
from ..config import Settings
from ..errors import AppError, BuildError, RemoteError, RequestError, SessionGone
from ..pages.assets import STATIC
from ..sessions import Connection, Pulse, Registry, Session, Surroundings, ThreadPool
from ..sessions.failures import report, user_name
from ..sessions.housekeeping import attended
from .capacity import Capacity
from .host import AppInfo, OpenRequest, SessionInfo, Statistics
from .reloading import Reloading, Versions
from .tidying import Tidying
from .usage import Usage

log = logging.getLogger("hotshoe.host")

STOP_GRACE_S = 3.0
"""How long a stopping server waits for a callback that still runs before it ends the session without it."""


class InlineHost:
    """Runs ``apps`` (by URL) on threads of this process, or on the event loop if ``settings.threads`` is 0."""

    def __init__(
        self, apps: Mapping[str, App], settings: Settings, *, dev: bool = False, sources: Sources | None = None,
        static: str = STATIC,
    ) -> None:
        self._apps = dict(apps)
        self._dev = dev or settings.dev
        self._versions = Versions() if self._dev else None
        self._infos = {url: self._describe(url, app) for url, app in self._apps.items()}
        self._settings = settings
        self._render_page = partial(pages.render_page, busy_sign=settings.busy_sign, static=static)
        self._render_autoload = partial(pages.render_autoload, static=static)
        self._capacity = Capacity.of(settings)
        self._usage = Usage(settings, self.statistics)
        self._sources = sources
        self._registries: dict[str, Registry] = {}
        self._pool: ThreadPool | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """The apps by URL."""
        return self._infos

    async def start(self) -> None:
        """Make the threads, run the load hooks, begin to expire sessions."""
        loop = asyncio.get_running_loop()
        threads = self._settings.threads
        self._pool = ThreadPool(threads, loop) if threads else None
        pulse = Pulse()
        collapse = not self._settings.no_collapse
        surroundings = Surroundings(loop, self._pool, pulse, collapse=collapse, dev=self._dev)
        self._registries = {
            url: Registry(app, url, surroundings) for url, app in self._apps.items()
        }
        try:
            for registry in self._registries.values():
                app = await self._begun(registry.app, registry)
                if app is not registry.app:
                    registry.replace_app(app)
                    self._apps[registry.url] = app
        except BaseException:
            if self._pool is not None:
                self._pool.close()
            raise
        tidying = Tidying(self._registries.values(), freeze=not self._dev)
        tidying.settle()
        works = (self._expire(), pulse.run(), self._usage.run(), tidying.run())
        self._tasks = [asyncio.create_task(work) for work in works]
        if self._sources is not None:
            reloading = Reloading(self._sources, self._call, self.replace_app)
            self._tasks.append(asyncio.create_task(reloading.run()))

    async def stop(self) -> None:
        """End every session and run the unload hooks. May be called more than once."""
        if not self._tasks:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._tasks = []
        await asyncio.gather(*(registry.close(STOP_GRACE_S) for registry in self._registries.values()))
        for registry in self._registries.values():
            await self._end_life(registry.app, registry)
        if self._pool is not None:
            self._pool.close()

    async def open(self, wish: OpenRequest) -> SessionInfo:
        """Find or create the session."""
        registry = self._registry(wish.app)
        self._admit(registry, wish)
        payload = wish.payload
        if payload is None:
            payload = await self._process_request(registry, wish.request)
            self._admit(registry, wish)  # others may have come meanwhile
        session = await registry.open(wish.session_id, wish.request, payload)
        return SessionInfo(session.id, wish.app, payload, session.connection_count)

    async def owner(self, app: str, session_id: str) -> str | None:
        """The name of the user who made the session."""
        session = self._registry(app).get(session_id)
        return None if session is None else session.user

    async def page(self, app: str, session_id: str) -> pages.Page:
        """The session's document as a page."""
        session = self._session(app, session_id)
        version = self._infos[app].version
        render = partial(self._render_page, session.document, app_url=app, version=version)
        page = await self._rendered(session, render)
        assert isinstance(page, pages.Page)
        return page

    async def attach(self, app: str, session_id: str) -> Connection:
        """Subscribe a websocket to the session."""
        return self._session(app, session_id).attach()

    async def autoload_script(
        self,
        app: str,
        session_id: str,
        *,
        element_id: str | None,
        app_path: str,
        absolute_url: str | None,
        token: str,
        resources: bool,
    ) -> str:
        """The JavaScript that embeds the session in a foreign page, or the plan that it would follow."""
        session = self._session(app, session_id)
        render = partial(
            self._render_autoload,
            session.document,
            app_url=app,
            element_id=element_id,
            app_path=app_path,
            absolute_url=absolute_url,
            token=token,
            resources=resources,
        )
        script = await self._rendered(session, render)
        assert isinstance(script, str)
        return script

    async def metadata(self, app: str) -> Any:
        """The app's metadata."""
        return await self._call(self._registry(app).app.metadata)

    async def until_changed(self, app: str, version: str) -> None:
        """Wait until the app is another than that of ``version``."""
        self._registry(app)
        while self._versions is not None and self._infos[app].version == version:
            await self._versions.wait()

    async def replace_app(self, url: str, app: App | None) -> None:
        """Make new sessions by ``app``, and have the pages of the app load again; ``None`` has only that done.

        The hooks of the server's life run if they are others than before.
        """
        registry = self._registry(url)
        if app is not None:
            if _life(registry.app) != _life(app):
                await self._end_life(registry.app, registry)
                app = await self._begun(app, registry)
            registry.replace_app(app)
            self._apps[url] = app
        assert self._versions is not None
        self._versions.advance()
        self._infos[url] = self._describe(url, registry.app)

    async def update_sessions(self, app: str, update: Callable[[Document], Awaitable[None] | None]) -> None:
        """Call ``update(document)`` for each session of an app that is alive now, its document locked.

        Returns when all calls have ended, and raises the first error among them. (The meaning that bokeh 3.10
        gives ``BokehASGI.update_sessions``.)
        """
        updates = [session.run(partial(update, session.document)) for session in self._registry(app).sessions]
        errors = [result for result in await asyncio.gather(*updates, return_exceptions=True)
                  if isinstance(result, BaseException)]
        if errors:
            raise errors[0]

    def statistics(self) -> Statistics:
        """A snapshot."""
        sessions = {url: registry.sessions for url, registry in self._registries.items()}
        return Statistics(
            sessions={url: len(some) for url, some in sessions.items()},
            connections=sum(session.connection_count for some in sessions.values() for session in some),
            threads=self._pool.count if self._pool is not None else 0,
            unused={url: sum(not session.connection_count for session in some) for url, some in sessions.items()},
        )

    def _registry(self, app: str) -> Registry:
        try:
            return self._registries[app]
        except KeyError:
            raise RequestError(f"no app at {app}", status=404) from None

    def _admit(self, registry: Registry, wish: OpenRequest) -> None:
        if not registry.knows(wish.session_id):
            held = [request for each in self._registries.values() for request in each.requests]
            self._capacity.admit(held, wish.request)

    def _session(self, app: str, session_id: str) -> Session:
        session = self._registry(app).get(session_id)
        if session is None or session.destroyed:
            raise SessionGone(f"session {session_id} has ended")
        return session

    async def _rendered(self, session: Session, render: Callable[[], Any]) -> Any:
        try:
            return await session.run(partial(session.render, render))
        except (RemoteError, SessionGone):
            raise
        except Exception as error:  # a template that asks for a root that is not there, a model that won't compile
            error_id = session.report(error, "rendering the page")
            report, _ = await session.outcome(partial(describe, error)) if session.dev else (None, None)
            raise BuildError(session.app_url, error_id, report) from error

    async def _process_request(self, registry: Registry, request: Request) -> Mapping[str, Any]:
        if (process := registry.app.hooks.process_request) is None:
            return {}
        try:
            payload = await self._call(partial(process, request))
        except RemoteError:
            raise
        except Exception as error:
            info = report(error, what="process_request", app=registry.url, user=user_name(request.user))
            raise BuildError(registry.url, info.error_id) from error
        return payload if isinstance(payload, Mapping) else {}

    async def _begun(self, app: App, registry: Registry) -> App:
        """Run the load hook. In dev mode an app whose hook fails is an app that is broken."""
        try:
            if (loaded := app.hooks.server_loaded) is not None:
                await self._call(partial(loaded, registry.context))
        except Exception as error:
            if not self._dev:
                raise
            log.exception("on_server_loaded of app %s failed", registry.url)
            wrapped = AppError(f"on_server_loaded failed: {in_one_line(error)}")
            wrapped.__cause__ = error
            return broken(app, wrapped)
        return app

    async def _end_life(self, app: App, registry: Registry) -> None:
        if (unloaded := app.hooks.server_unloaded) is not None:
            await self._call_hook(partial(unloaded, registry.context), "on_server_unloaded")

    async def _call_hook(self, function: Callable[[], Any], name: str) -> None:
        try:
            await self._call(function)
        except Exception:
            log.exception("%s failed", name)

    async def _call(self, function: Callable[[], Any]) -> Any:
        """Run an app's code that belongs to no session, on a thread if there are threads."""
        try:
            result = function() if self._pool is None else await self._pool.run(function)
            return await attended(result) if inspect.isawaitable(result) else result
        except SystemExit as error:  # it must not end the event loop
            raise RuntimeError(f"the app's code ended with {error!r}") from error

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(self._settings.check_unused_sessions_milliseconds / 1000)
            for registry in self._registries.values():
                await registry.expire(self._settings.unused_session_lifetime_milliseconds / 1000)

    def _describe(self, url: str, app: App) -> AppInfo:
        def text(path: Path | None) -> str | None:
            return None if path is None else str(path)

        return AppInfo(
            url,
            app.title,
            app.description,
            text(app.static_dir),
            text(app.thumbnail),
            text(app.source),
            version="" if self._versions is None else self._versions.current,
            asks_request=app.hooks.process_request is not None,
        )


def _life(app: App) -> tuple[object, object]:
    return app.hooks.server_loaded, app.hooks.server_unloaded

