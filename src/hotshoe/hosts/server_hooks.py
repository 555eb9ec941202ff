"""Runs apps' code outside of sessions, mainly the hooks for startup and shutdown."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..apps import App, failing_app
from ..base.children import AppCode
from ..base.errors import AppError
from ..base.housekeeping import await_with_keepers
from ..base.lent_loop import call_with
from ..base.process_threads import in_thread
from ..base.submitted_calls import call_safely
from ..base.tasks import Deadline
from ..base.thread_errors import add_hint
from ..base.tracebacks import in_one_line
from ..sessions import Registry
from .app_threads import AppThreads

log = logging.getLogger("hotshoe.host")

UNLOAD_SHARE = 0.7
"""The share of the remaining time that each unload hook gets."""


class ServerHooks:
    """Runs the hooks of apps where their code runs.

    In dev mode, an app whose load hook fails becomes a broken app, which shows the error.
    """

    def __init__(self, threads: AppThreads, *, dev: bool) -> None:
        self._threads = threads
        self._dev = dev

    async def call(self, function: Callable[[], Any], app: str | None = None) -> Any:
        """Run code of the app at this URL, or of any app, and return its result; an awaitable result is awaited."""
        place = self._threads.at(app)
        try:
            if place.pool is None:
                with AppCode():
                    result = function()
            else:
                loop = asyncio.get_running_loop()
                result = await place.pool.run(partial(call_with, loop, place.running_loop, function))
            if not inspect.isawaitable(result):
                return result
            with AppCode():  # it runs on the event loop
                return await await_with_keepers(result)
        except SystemExit as error:  # it must not end the event loop
            raise RuntimeError(f"the app's code ended with {error!r}") from error

    async def call_loader(self, function: Callable[[], Any]) -> Any:
        """Run a function that loads apps by ``AppThreads.call``, and return its result.

        It may wait for the thread of an app, so it never runs on the event loop, which that thread may need.
        """
        if self._threads.at(None).pool is None:
            return await in_thread(call_safely, function)
        return await self.call(function)

    async def load_all(self, registries: Iterable[Registry]) -> None:
        """Run the load hooks. If one fails, run the unload hooks of the apps before it."""
        loaded: list[Registry] = []
        try:
            for registry in registries:
                app = await self.load(registry.app, registry)
                if app is not registry.app:
                    registry.replace_app(app)
                loaded.append(registry)
        except BaseException:
            await self.unload_all(loaded, Deadline())
            raise

    async def unload_all(self, registries: Iterable[Registry], deadline: Deadline) -> None:
        """Run the unload hooks, each within a share of the time until ``deadline``."""
        for registry in registries:
            try:
                async with asyncio.timeout(deadline.share(UNLOAD_SHARE).left_s):
                    await self.unload(registry.app, registry)
            except TimeoutError:
                log.warning("on_server_unloaded of app %s has not ended: stopping without it", registry.url)

    async def load(self, app: App, registry: Registry) -> App:
        """Run the load hook of ``app``. Returns the app to serve, in dev mode perhaps a broken one."""
        try:
            if (loaded := app.hooks.server_loaded) is not None:
                await self.call(partial(loaded, registry.context), registry.url)
        except Exception as error:
            add_hint(error, registry.thread)
            if not self._dev:
                raise
            log.exception("on_server_loaded of app %s failed", registry.url)
            wrapped = AppError(f"on_server_loaded failed: {in_one_line(error)}")
            wrapped.__cause__ = error
            return failing_app(app, wrapped)
        return app

    async def unload(self, app: App, registry: Registry) -> None:
        """Run the unload hook of ``app``, and log its exception, if any."""
        if (unloaded := app.hooks.server_unloaded) is None:
            return
        try:
            await self.call(partial(unloaded, registry.context), registry.url)
        except Exception as error:
            add_hint(error, registry.thread)
            log.exception("on_server_unloaded of app %s failed", registry.url)

    async def reload(self, app: App, registry: Registry) -> App:
        """Run the hooks if they differ from those of the replaced app. Returns the app to serve."""
        if _hooks(registry.app) == _hooks(app):
            return app
        await self.unload(registry.app, registry)
        return await self.load(app, registry)


def _hooks(app: App) -> tuple[object, object]:
    return app.hooks.server_loaded, app.hooks.server_unloaded
