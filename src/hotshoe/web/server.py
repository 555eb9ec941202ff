"""The server as an object: on a thread and loop of its own, on a loop that is given, or as the whole process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from hotshoe.config import Settings
from hotshoe.hosts.reloading import load_apps
from hotshoe.hosts.tidying import tidy_process
from hotshoe.web.guard import Guard
from hotshoe.web.limits import raise_file_limit
from hotshoe.web.listening import Listeners, listen
from hotshoe.web.loops import close_loop, ending_signals, is_current, new_loop, switching_fast
from hotshoe.web.service import STOP_GRACE_S, Service
from hotshoe.web.sites import apps_of, site_of
from hotshoe.web.tls import Tls
from hotshoe.web.unix_sockets import listen_unix

if TYPE_CHECKING:
    import signal
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from types import TracebackType

    from bokeh.document import Document

    from hotshoe.hosts.host import AppInfo, Statistics

_log = logging.getLogger(__name__)

THREAD_GRACE_S = STOP_GRACE_S + 4.0


@dataclass(frozen=True, slots=True)
class Pending:
    """What runs on the server's loop: ``await`` it on any loop, or ask for its ``result`` in any other thread."""

    future: concurrent.futures.Future[None]

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for the end; raises what the work raised. Never call it on the server's loop."""
        self.future.result(timeout_s)

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.wrap_future(self.future).__await__()


class Server:
    """Serves apps: a path, a function ``f(doc)``, an ``Application``, a list of these, or a mapping by URL.

    ``start`` serves on a thread of its own and returns when the server listens; ``with Server(…)`` does the same.
    ``async with Server(…)`` serves on the running loop, ``io_loop=`` (asyncio's or tornado's) on that one, and
    ``run`` serves here until a signal ends it. Settings are fields of ``Settings``, by name: ``port=0``. A stopped
    server can be started again.

    ``auth`` knows the users: a value of ``--auth``, the path of an auth module, a ``Provider``, or an object like
    bokeh's ``AuthPolicy`` or ``AuthProvider``. ``authorize(user, app)`` says whether one may open the app at a URL.
    ``site`` is a WSGI or ASGI app that answers whatever is not the apps', as of ``hotshoe.wrap``.

    Raises AppError for what is no app, ConfigError for a wrong setting or certificate and, on start, BindError.
    """

    def __init__(
        self,
        apps: Any = None,
        *,
        settings: Settings | None = None,
        io_loop: Any = None,
        auth: Any = None,
        auth_provider: Any = None,
        authorize: Callable[..., Any] | None = None,
        site: Any = None,
        **overrides: Any,
    ) -> None:
        # auth_provider is stock's name for what auth takes too.
        self._guard = Guard(auth if auth_provider is None else auth_provider, authorize)
        self._settings = (settings or Settings()).replace(**overrides)
        self._tls = Tls.of(self._settings)
        self._site = site_of(site, self._settings)
        self._apps, self._sources = load_apps(apps_of(apps, self._site), self._settings)
        self._given_loop: asyncio.AbstractEventLoop | None = getattr(io_loop, "asyncio_loop", io_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: Listeners | None = None
        self._running: Service | None = None
        self._thread: threading.Thread | None = None
        self._ending: asyncio.Event | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._ended: asyncio.Task[None] | None = None
        self._port = self._settings.port

    # -- what it is

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def address(self) -> str | None:
        """The address that was asked for; ``None`` is every interface."""
        return self._settings.address

    @property
    def port(self) -> int:
        """The port; with ``port=0`` it is known once the server has started. On a Unix socket it is 0."""
        return self._port

    @property
    def prefix(self) -> str:
        """What stands before every path: empty, or ``/like/this``."""
        inside = self._settings.prefix.strip("/")
        return f"/{inside}" if inside else ""

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """The apps by URL, described."""
        return self._need_running().host.apps

    @property
    def urls(self) -> list[str]:
        """The apps' full URLs, in the order in which they were given, quoted for a browser.

        None on a Unix socket, which no browser reaches by itself.
        """
        return [] if self._settings.unix_socket else [self.url(quote(path)) for path in self._apps]

    def url(self, path: str = "/") -> str:
        """The full URL of a path below the prefix; the path is taken as it is, a query may follow it.

        Raises RuntimeError on a Unix socket, where only the proxy before it has one.
        """
        if self._settings.unix_socket:
            raise RuntimeError("a server on a Unix socket has no URL of its own")
        name = self.address or "localhost"
        host = f"[{name}]" if ":" in name else name
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{host}:{self.port}{self.prefix}{path if path.startswith('/') else '/' + path}"

    def show(self, path: str = "/") -> None:
        """Open an app in the browser."""
        webbrowser.open(self.url(path))

    def statistics(self) -> Statistics:
        """How many sessions, connections and threads there are now."""
        return self._need_running().host.statistics()

    def update_sessions(self, app: str, update: Callable[[Document], Awaitable[None] | None]) -> Pending:
        """Call ``update(document)`` for each session of the app at URL ``app``, its document locked.

        From any thread or loop; ``await`` what is returned, or call its ``result()``.
        """
        running = self._need_running()
        assert self._loop is not None
        return Pending(asyncio.run_coroutine_threadsafe(running.host.update_sessions(app, update), self._loop))

    # -- start and stop, from outside

    def start(self) -> None:
        """Listen, then serve: on the given loop if there is one (once it runs), else on a thread of its own."""
        if self._loop is not None:
            return
        self._listen()
        if self._given_loop is None:
            self._start_thread()
        else:
            self._start_on(self._given_loop)

    def stop(self) -> None:
        """Close every socket, end all sessions, run all hooks. May be called again, and from any thread."""
        loop, thread = self._loop, self._thread
        if loop is None:
            if self._starting is not None:
                self._starting.cancel()
            self._forget()
        elif thread is not None:
            self._signal_end()
            if thread is not threading.current_thread():
                thread.join(THREAD_GRACE_S)
        elif loop.is_closed():
            self._forget()
        elif not loop.is_running():
            loop.run_until_complete(self.stop_async())
        elif is_current(loop):
            if self._running is not None:
                self._running.refuse()  # the port is free when this returns, as it is after stock's stop
            self._stopping = self._stopping or loop.create_task(self.stop_async())
        else:
            asyncio.run_coroutine_threadsafe(self.stop_async(), loop).result(THREAD_GRACE_S)

    async def start_async(self) -> None:
        """Serve on the running loop; returns when the server listens."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        try:
            service = Service(self._apps, self._listen(), self._settings, sources=self._sources, tls=self._tls,
                              guard=self._guard, site=self._site)
            await service.start()
            self._running = service
        except BaseException:
            self._forget()
            raise

    async def stop_async(self) -> None:
        """The same as ``stop``, on the loop that serves."""
        running, self._running = self._running, None
        if running is not None:
            self._ended = asyncio.create_task(running.stop())
        if self._ended is not None:
            await asyncio.shield(self._ended)  # it goes on if who waits for it is cancelled
        if self._ending is not None:
            self._ending.set()
        self._forget()

    async def serve(self, on_started: Callable[[], None] | None = None) -> None:
        """Serve on the running loop until ``stop`` is called, or the task is cancelled."""
        ending = self._ending = self._ending or asyncio.Event()
        await self.start_async()
        try:
            if on_started is not None:
                on_started()
            await ending.wait()
        finally:
            await self.stop_async()

    def run(self, on_signal: Callable[[signal.Signals], None] | None = None,
            on_started: Callable[[], None] | None = None) -> None:
        """Serve until SIGINT or SIGTERM (a second one does not wait for anything); blocks.

        ``on_started`` is called once the server takes requests, ``on_signal`` in the handler of the first signal.
        A process that does nothing else: Python's switch interval is shortened while it serves on threads, its
        garbage is collected between the work, and it may open as many files as the system lets it.
        """
        raise_file_limit()
        ending = ending_signals(partial(self._on_signal, on_signal))
        with switching_fast(self._settings.threads > 0), tidy_process(), ending:
            if self._thread is None:
                self._run_here(on_started)
                return
            if on_started is not None:
                on_started()
            self._wait_for_thread(self._thread)

    def run_until_shutdown(self) -> None:
        """``run``, by the name that ``bokeh.server`` gave it."""
        self.run()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await self.start_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_async()

    # -- threads and loops

    def _start_thread(self) -> None:
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = thread = threading.Thread(
            target=self._serve_on_thread, args=(started,), name="hotshoe-server", daemon=True
        )
        thread.start()
        try:
            started.result()
        except BaseException:
            thread.join(THREAD_GRACE_S)  # it may have forgotten itself already
            self._forget()
            raise

    def _serve_on_thread(self, started: concurrent.futures.Future[None]) -> None:
        loop = new_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._serve_and_tell(started))
        finally:
            asyncio.set_event_loop(None)
            close_loop(loop)
            self._forget()

    async def _serve_and_tell(self, started: concurrent.futures.Future[None]) -> None:
        ending = self._ending = asyncio.Event()
        try:
            await self.start_async()
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(None)
        try:
            await ending.wait()
        finally:
            await self.stop_async()

    def _start_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.is_running() and not is_current(loop):
            asyncio.run_coroutine_threadsafe(self.start_async(), loop).result()
        else:
            self._starting = loop.create_task(self.start_async())
            self._starting.add_done_callback(_tell_failure)

    def _run_here(self, on_started: Callable[[], None] | None) -> None:
        if self._loop is not None:
            raise RuntimeError("the server runs on a loop already; run that loop")
        self._ending = asyncio.Event()
        self._listen()
        loop = self._given_loop or new_loop()
        try:
            loop.run_until_complete(self.serve(on_started))
        finally:
            self._close_listeners()
            if loop is not self._given_loop:
                close_loop(loop)

    def _wait_for_thread(self, thread: threading.Thread) -> None:
        while thread.is_alive():
            thread.join(0.2)  # a signal's handler runs between two waits

    def _on_signal(self, tell: Callable[[signal.Signals], None] | None, number: signal.Signals) -> None:
        if self._loop is None:
            if self._ending is not None:
                self._ending.set()  # the loop does not run yet
        else:
            self._signal_end()
        if tell is not None:
            tell(number)

    def _signal_end(self) -> None:
        loop, ending = self._loop, self._ending
        if loop is not None and ending is not None:
            with suppress(RuntimeError):  # it has closed in between
                loop.call_soon_threadsafe(ending.set)

    def _forget(self) -> None:
        self._loop = self._thread = self._ending = None
        self._starting = self._stopping = self._ended = None
        self._close_listeners()

    def _listen(self) -> Listeners:
        if self._listeners is None:
            settings = self._settings
            if settings.unix_socket:
                self._listeners = listen_unix(settings.unix_socket, int(settings.unix_socket_mode, 8))
            else:
                self._listeners = listen(settings.address, settings.port)
            self._port = self._listeners.port
        return self._listeners

    def _close_listeners(self) -> None:
        if self._listeners is not None:
            self._listeners.close()
            self._listeners = None

    def _need_running(self) -> Service:
        if self._running is None:
            raise RuntimeError("the server is not running")
        return self._running


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("The server could not start: %s", error, exc_info=error)
