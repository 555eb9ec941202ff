"""The host that runs apps in the front's own process: it calls sessions directly and copies nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import Any

from .. import pages
from ..apps import App, Request
from ..base import children
from ..base.counters import Counters
from ..base.errors import AccessError, BuildError, ConfigError, RemoteError, SessionGone
from ..base.first_imports import order_first_imports
from ..base.lent_loop import install, lend
from ..base.process_threads import in_thread
from ..base.tasks import STOP_GRACE_S, Deadline
from ..base.tasks import start as start_task
from ..base.tracebacks import describe
from ..base.users import discard, user_name
from ..config import Settings, value_for
from ..http.hook_requests import hook_request, plain
from ..pages.assets import STATIC
from ..seams.panel import component_source
from ..seams.process import current_own
from ..sessions import Connection, Pulse, Registry, Session, Surroundings, attach
from ..sessions.failures import report
from .app_files import AppFiles
from .app_threads import AppThreads
from .host import (
    AppInfo,
    AppsChanged,
    AsPage,
    Event,
    FileInfo,
    FileName,
    Listener,
    Opened,
    OpenRequest,
    SessionEnded,
    SessionInfo,
    Statistics,
    View,
)
from .served_apps import ServedApps
from .tidying import Tidying
from .usage import Usage

TASKS_SHARE = 0.1
"""The share of the host's own tasks in the time for stopping. They end at once, except for a reload."""


class InlineHost:
    """Loads apps, and runs them in this process: on threads, or on the event loop (``AppThreads``).

    ``targets``, ``reloads`` and ``is_export`` are those of ``make_host``. ``static`` is the path of BokehJS below the
    prefix. Raises ``AppError``, ``ConfigError``.
    """

    def __init__(self, targets: Any, settings: Settings, *, reloads: bool = True, static: str = STATIC,
                 is_export: bool = False) -> None:
        install()  # before the apps import what uses it
        self._settings = settings
        self._dev = settings.dev
        self._is_export = is_export
        self._threads = AppThreads(settings)
        try:
            self._served = ServedApps(targets, settings, self._threads, reloads=reloads, notify=self._notify_of_apps)
        except BaseException:
            self._threads.close()
            raise
        self._registries = self._served.registries
        self._files = AppFiles(dotfiles=settings.serve_dotfiles)
        self.counters = Counters()
        """Counts this host's sessions, their messages and their waits."""
        max_message_bytes = settings.websocket_max_message_size
        self._render_page = partial(pages.render_page, busy_sign=settings.busy_sign, static=static,
                                    max_message_bytes=max_message_bytes)
        self._render_autoload = partial(pages.render_autoload, static=static, max_message_bytes=max_message_bytes)
        self._usage = Usage(settings, self._count)
        self._openings = Counter[tuple[str, str]]()
        """The number of running calls of ``open`` and ``attach`` that may create a session, by app and id."""
        self._notify: Listener = _ignore
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def _lifetime_s(self) -> float:
        return self._settings.unused_session_lifetime_milliseconds / 1000

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """The apps by URL."""
        return self._served.infos

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with each event from now on; it replaces the one before."""
        self._notify = listener

    def _notify_of_apps(self) -> None:
        self._notify(AppsChanged(self._served.infos))

    async def start(self) -> None:
        """Make the threads, run the load hooks, begin to expire sessions."""
        loop = asyncio.get_running_loop()
        order_first_imports()
        lend(loop)
        self._threads.start(loop)
        self._files = AppFiles(dotfiles=self._settings.serve_dotfiles)
        children.register(self)
        pulse = Pulse()
        collapse = not self._settings.no_collapse

        def new_registry(app: App, url: str) -> Registry:
            place = self._threads.at(url)
            surroundings = Surroundings(loop, place.pool, pulse, thread=place.thread,
                                        running_loop=place.running_loop, collapse=collapse, dev=self._dev,
                                        counters=self.counters, shares=place.shares, is_export=self._is_export)
            return Registry(app, url, surroundings, on_gone=partial(self._notify_if_gone, url))

        try:
            await self._served.start(new_registry)
        except BaseException:
            self._close_pools()
            raise
        tidying = Tidying(self._served, freeze=not self._dev)
        tidying.freeze()
        works: dict[str, Callable[[], Awaitable[None]]] = {
            "live updates": pulse.run, "statistics": self._usage.run, "tidying": tidying.run,
            "expiry of sessions": self._expire,
            "threads": partial(self._threads.watch, self._registries, self._lifetime_s),
        }  # fmt: skip
        if (reloading := self._served.reloading()) is not None:
            works["reloading"] = reloading.run
        self._tasks = [start_task(name, work) for name, work in works.items()]

    def after_fork(self) -> None:
        """Let go of the threads. A child of an app also gets Python's handlers of signals, and ends with the server.

        A child that the program itself forks keeps the program's handlers, and may live on.
        """
        self._threads.after_fork()
        if not children.is_by_main_thread() or current_own() is not None:
            children.use_default_signals()
            children.end_with_server()

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End every session and run the unload hooks, within ``grace_s``. May be called more than once."""
        if not self._tasks:
            return
        deadline = Deadline(grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=deadline.share(TASKS_SHARE).left_s)
        self._tasks = []
        await self._served.stop(deadline)
        self._close_pools()

    def _close_pools(self) -> None:
        children.unregister(self)
        self._files.close()
        self._threads.close()

    async def open(self, open_request: OpenRequest) -> Opened:
        """Find or create the session, and render it if a view is asked for."""
        with self._opening(open_request):
            session, payload = await self._find(open_request)
            view = open_request.view
            return Opened(payload, None if view is None else await self._render(session, view))

    async def attach(self, open_request: OpenRequest) -> Connection:
        """Find or create the session, and subscribe a websocket to it."""
        with self._opening(open_request):
            session, _ = await self._find(open_request)
            return attach(session)

    async def _find(self, open_request: OpenRequest) -> tuple[Session, Mapping[str, Any]]:
        registry, payload = self._registries[open_request.app], open_request.payload
        if open_request.may_create:
            if payload is None:
                payload = await self._process_request(registry, open_request.request)
            session: Session | None = await registry.open(open_request.session_id, open_request.request, payload)
        else:
            session = registry.get(open_request.session_id)
        if session is None or session.destroyed:
            raise SessionGone(f"session {open_request.session_id} has ended")
        if session.user not in (None, user_name(open_request.request.user)):
            raise AccessError("This session belongs to another user")
        return session, payload or {}

    @contextmanager
    def _opening(self, open_request: OpenRequest) -> Iterator[None]:
        """An opening that leaves no session tells that, however it ends; the last one, if there are several.

        It tells so before an error, and after a result: the session may have ended, or its app been replaced, while it
        was built or rendered. A front takes what it hears before a result as news of an earlier session.
        """
        if not open_request.may_create:
            yield
            return
        key = open_request.app, open_request.session_id
        self._openings[key] += 1
        is_result = False
        try:
            yield
            is_result = True
        finally:
            self._openings[key] -= 1
            if not self._openings[key]:
                del self._openings[key]
            if is_result and self._is_gone(*key):
                asyncio.get_running_loop().call_soon(self._notify, SessionEnded(*key))
            elif not is_result:
                self._notify_if_gone(*key)

    def _notify_if_gone(self, app: str, session_id: str) -> None:
        if self._is_gone(app, session_id):
            self._notify(SessionEnded(app, session_id))

    def _is_gone(self, app: str, session_id: str) -> bool:
        registry = self._registries.get(app)
        return (app, session_id) not in self._openings and (registry is None or not registry.holds(session_id))

    async def metadata(self, app: str) -> Any:
        """The app's metadata."""
        return await self._served.hooks.call(self._registries[app].app.metadata, app)

    async def serve_app(self, url: str, target: Any) -> None:
        """Load ``target``, run its load hook, and serve it at ``url``. It replaces the app that is there now."""
        await self._served.serve(url, target)

    async def withdraw_app(self, url: str) -> None:
        """Stop serving an app: its sessions end, then its unload hook runs."""
        await self._served.withdraw(url)

    async def file(self, name: FileName) -> FileInfo:
        """Describe a file of an app."""
        return await self._files.describe(self._registries[name.app].app, name)

    async def component_apps(self, name: str) -> Sequence[str]:
        """The apps whose visitors may have this file of a component."""
        source = component_source(name)
        return () if source is None else self._served.apps_with(source)

    async def read_file(self, name: FileName, identity: str, start: int, size: int) -> bytes:
        """Read a part of the file."""
        return await self._files.read(self._registries[name.app].app, name, identity, start, size)

    async def model_script(self, digest: str) -> str | None:
        """The compiled JavaScript of a custom model."""
        return await in_thread(pages.model_script, digest)  # node may have to run first

    async def statistics(self) -> Statistics:
        """A snapshot."""
        return self._count()

    def _count(self) -> Statistics:
        sessions = {url: registry.sessions for url, registry in self._registries.items()}
        return Statistics(
            sessions={url: len(some) for url, some in sessions.items()},
            connections=sum(session.connection_count for some in sessions.values() for session in some),
            threads=self._threads.count,
            unused={url: sum(not session.connection_count for session in some) for url, some in sessions.items()},
        )

    async def sessions(self) -> Sequence[SessionInfo]:
        """Describe the live sessions, the oldest of each app first."""
        now_s = time.monotonic()
        return [SessionInfo(session.id, url, session.user, now_s - session.created_s, session.connection_count)
                for url, registry in self._registries.items() for session in registry.sessions]

    async def close(self, app: str, session_id: str) -> bool:
        """End a session; its hooks run, and its websockets close. Returns whether there was one."""
        return await self._registries[app].end(session_id)

    async def update(self, app: str, function: Callable[..., Any] | str, *args: Any) -> None:
        """Call ``function(document, *args)`` for each live session of an app, its document locked.

        (As ``BokehASGI.update_sessions`` of bokeh 3.10 does.)
        """
        registry = self._registries[app]
        call = await self._served.hooks.call(partial(_import, function), app) if isinstance(function, str) else function
        updates = [session.run(partial(call, session.document, *args)) for session in registry.sessions]
        errors = [result for result in await asyncio.gather(*updates, return_exceptions=True)
                  if isinstance(result, BaseException)]
        if errors:
            raise errors[0]

    async def _render(self, session: Session, view: View) -> pages.Page:
        render = self._renderer(session, view)
        try:
            page = await session.run(partial(session.render, render))
        except (RemoteError, SessionGone):
            raise
        except Exception as error:  # a template names a root that does not exist, or a model does not compile
            error_id = session.reporter.report(error, "rendering the page")
            report, _ = await session.lane.outcome(partial(describe, error)) if session.dev else (None, None)
            raise BuildError(session.app_url, error_id, report) from error
        assert isinstance(page, pages.Page)
        return page

    def _renderer(self, session: Session, view: View) -> Callable[[], pages.Page]:
        document, app = session.document, session.app_url
        if isinstance(view, AsPage):
            info = self.apps.get(app)
            return partial(self._render_page, document, app_url=app, version="" if info is None else info.version,
                           all_bundles=value_for(self._settings.all_bundles, app) == "yes")
        return partial(self._render_autoload, document, app_url=app, element_id=view.element_id, app_path=view.app_path,
                       absolute_url=view.absolute_url, resources=view.resources)

    async def _process_request(self, registry: Registry, request: Request) -> Mapping[str, Any]:
        if (process := registry.app.hooks.process_request) is None:
            return {}
        try:
            payload = await self._served.hooks.call(partial(process, hook_request(request)), registry.url)
            if payload is not None and not isinstance(payload, Mapping):
                discard(payload)
                raise TypeError(f"process_request must return a dictionary, not a {type(payload).__qualname__}")
            payload = plain(payload)
        except RemoteError:
            raise
        except Exception as error:
            info = report(error, what="process_request", app=registry.url, user=user_name(request.user),
                          thread=registry.thread)
            described = await self._served.hooks.call(partial(describe, error), registry.url) if self._dev else None
            raise BuildError(registry.url, info.error_id, described) from error
        return {} if payload is None else payload

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(self._settings.check_unused_sessions_milliseconds / 1000)
            for registry in list(self._registries.values()):
                await registry.expire(self._lifetime_s)


def _import(name: str) -> Any:
    """Import the function that ``"module:name"`` names. Raises ``ConfigError``."""
    module, _, path = name.partition(":")
    try:
        found = attrgetter(path)(import_module(module))
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # TypeError: a relative name
        raise ConfigError(f"{name!r} is not the name of a function, like 'module:name': {error}") from error
    if not callable(found):
        raise ConfigError(f"{name!r} is not the name of a function, like 'module:name': it is a {type(found).__name__}")
    return found


def _ignore(event: Event) -> None:
    pass
