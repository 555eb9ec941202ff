"""The server as an object: on its own thread and loop, on a given loop, or as the whole process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import webbrowser
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from ..base.app_tasks import context_without_owner
from ..base.ending_children import Process, descendants, end_descendants
from ..base.lent_loop import is_current
from ..base.tasks import STOP_GRACE_S, supervise
from ..config import Settings
from ..hosts.factory import make_host
from ..hosts.tidying import tidy_process
from ..http.paths import normalized_prefix
from ..web.gate.auth_options import AuthOptions, settings_of
from ..web.site.extensions import Search
from ..web.site.sites import site_of
from .limits import raise_file_limit
from .listening import Listeners, listen, listen_unix
from .loops import StopSignals, check_loop, close_loop, new_loop, run_to_end, short_switch_interval
from .pending import Pending, result_at_once
from .service import Service
from .tls import Tls

if TYPE_CHECKING:
    import signal
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from bokeh.document import Document

    from ..hosts.host import AppInfo, Statistics

_log = logging.getLogger(__name__)

THREAD_GRACE_S = STOP_GRACE_S + 4.0


class Server:
    """Serves apps: a path, a function ``f(doc)``, an ``Application``, a list of these, or a mapping by URL.

    ``start`` serves on a thread of its own and returns when the server listens; ``with Server(…)`` does the same.
    ``async with Server(…)`` serves on the running loop. With ``io_loop=`` (asyncio's or tornado's) the server uses
    that loop. ``run`` serves in this thread until a signal stops it. Settings are fields of ``Settings``, by name:
    ``port=0``. A stopped server can be started again.

    ``auth`` names the user: a value of ``--auth``, the path of an auth module, a ``Provider``, or an object like
    bokeh's ``AuthPolicy`` or ``AuthProvider``. ``authorize(user, app)`` says whether a user may open the app at a URL.
    ``site`` is a WSGI or ASGI app that answers all requests that are not for the apps, and ``guard`` its extension,
    both as in ``hotshoe.wrap``. With ``dev=True``, ``reloads=False`` does not reload apps when their files change;
    pages still show errors.

    Raises AppError for an object that is not an app, ConfigError for a wrong setting or certificate and, on start,
    BindError.
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
        guard: Any = Search.IN_SITE,
        reloads: bool = True,
        **overrides: Any,
    ) -> None:
        # auth_provider is bokeh.server's name for auth.
        auth = auth if auth_provider is None else auth_provider
        self._auth_options = AuthOptions(auth, authorize, extension=guard)
        self._settings = settings_of(settings, auth, overrides)
        check_loop(self._settings.loop)
        self._tls = Tls.of(self._settings)
        self._site = site_of(site, self._settings, guard)
        of_site = None if self._site is None else self._site.apps
        self._host = make_host(apps, self._settings, of_site=of_site, reloads=reloads)
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

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def address(self) -> str | None:
        """The address to listen on; ``None`` means every interface."""
        return self._settings.address

    @property
    def port(self) -> int:
        """The port; with ``port=0`` it is known once the server has started. On a Unix socket it is 0."""
        return self._port

    @property
    def prefix(self) -> str:
        """The prefix of every path: empty, or ``/like/this``."""
        return normalized_prefix(self._settings.prefix)

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """Descriptions of the apps, by URL."""
        return self._host.apps

    @property
    def urls(self) -> list[str]:
        """The apps' full URLs, in the order in which they were given, quoted for a browser.

        Empty on a Unix socket, which a browser cannot reach directly.
        """
        return [] if self._settings.unix_socket else [self.url(quote(path)) for path in self._host.apps]

    def url(self, path: str = "/") -> str:
        """The full URL of a path below the prefix. The path is not quoted, and may end with a query.

        Raises RuntimeError on a Unix socket: only the proxy in front of it has a URL.
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
        """The numbers of sessions, connections and threads now. May be called from any thread."""
        self._need_running()
        assert self._loop is not None
        call = self._host.statistics()
        if is_current(self._loop) or not self._loop.is_running():
            return result_at_once(call)
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def update_sessions(self, app: str, update: Callable[[Document], Awaitable[None] | None]) -> Pending:
        """Call ``update(document)`` for each session of the app at URL ``app``, while its document is locked.

        May be called from any thread or loop. ``await`` the return value, or call its ``result()``.
        """
        return self._begin(lambda: self._host.update(app, update))

    def serve_app(self, url: str, target: Any) -> Pending:
        """Serve one more app while the server runs, or replace the app at ``url``. From any thread or loop.

        ``target`` is anything that ``Server`` takes as an app. Logins and rules apply to it, too. ``await`` the result,
        or call its ``result()``: it raises AppError if ``target`` is not an app, and ConfigError for a URL that no
        app can have.
        """
        return self._begin(lambda: self._need_running().front.serve_app(url, target))

    def withdraw_app(self, url: str) -> Pending:
        """Stop serving an app: its sessions end, and its pages get status 404. Call it like ``serve_app``."""
        return self._begin(lambda: self._need_running().front.withdraw_app(url))

    def _begin(self, call: Callable[[], Coroutine[Any, Any, None]]) -> Pending:
        self._need_running()
        assert self._loop is not None
        # If app code calls this, the work must not end with its session.
        run = partial(asyncio.run_coroutine_threadsafe, call(), self._loop)
        return Pending(context_without_owner().run(run))

    def start(self) -> None:
        """Listen, then serve: on the given loop if there is one (as soon as it runs), else on a thread of its own."""
        if self._loop is not None:
            return
        self._listen()
        if self._given_loop is None:
            self._start_thread()
        else:
            self._start_on(self._given_loop)

    def stop(self) -> None:
        """Close every socket, end all sessions, run all hooks. May be called again, and in any thread."""
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
                self._running.stop_listening()  # as after stock's stop, the port is free when this returns
            self._stopping = self._stopping or loop.create_task(self.stop_async())
        else:
            asyncio.run_coroutine_threadsafe(self.stop_async(), loop).result(THREAD_GRACE_S)

    async def start_async(self) -> None:
        """Serve on the running loop; returns when the server listens."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        try:
            service = Service(self._host, self._listen(), self._settings, tls=self._tls,
                              auth_options=self._auth_options, site=self._site)
            await service.start()
            self._running = service
        except BaseException:
            self._forget()
            raise

    async def stop_async(self) -> None:
        """``stop``, for a call on the server's loop."""
        running, self._running = self._running, None
        if running is not None:
            self._ended = asyncio.create_task(running.stop())
        if self._ended is not None:
            await asyncio.shield(self._ended)  # stopping continues if the waiting task is cancelled
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
            on_started: Callable[[], None] | None = None, *, programs_own: frozenset[Process] | None = None) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP; blocks. A second signal ends the process at once.

        ``on_started`` is called when the server accepts requests, ``on_signal`` in the handler of the first signal.
        For a process that does nothing else: this shortens Python's switch interval while apps run on threads,
        collects garbage when the process is idle, raises the limit of open files, and at the end ends the children
        that apps have started and left. ``programs_own`` are the children that are no app's; ``None`` means all
        that there are at the time of the call.
        """
        raise_file_limit()
        if programs_own is None:
            programs_own = descendants()
        signals = StopSignals(partial(self._on_signal, on_signal))
        with short_switch_interval(self._settings.threads > 0), tidy_process(), signals:
            try:
                self._run_until_end(signals, on_started)
            finally:
                end_descendants(programs_own)

    def _run_until_end(self, signals: StopSignals, on_started: Callable[[], None] | None) -> None:
        thread = self._thread
        if thread is None:
            self._run_here(signals, on_started)
            return
        if on_started is not None:
            on_started()
        while thread.is_alive():
            thread.join(0.2)  # a signal's handler runs between two calls of join
            signals.restore()

    def run_until_shutdown(self) -> None:
        """``run``, under its name in ``bokeh.server``."""
        self.run()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await self.start_async()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop_async()

    def _start_thread(self) -> None:
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = thread = threading.Thread(
            target=self._serve_on_thread, args=(started,), name="hotshoe-server", daemon=True
        )
        thread.start()
        try:
            started.result()
        except BaseException:
            thread.join(THREAD_GRACE_S)
            self._forget()
            raise

    def _serve_on_thread(self, started: concurrent.futures.Future[None]) -> None:
        loop = new_loop(self._settings.loop)
        asyncio.set_event_loop(loop)
        try:
            run_to_end(loop, loop.create_task(self.serve(partial(started.set_result, None))))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            asyncio.set_event_loop(None)
            close_loop(loop)
            self._forget()

    def _start_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.is_running() and not is_current(loop):
            asyncio.run_coroutine_threadsafe(self.start_async(), loop).result()
        else:
            self._starting = loop.create_task(self.start_async())
            self._starting.add_done_callback(_log_failure)

    def _run_here(self, signals: StopSignals, on_started: Callable[[], None] | None) -> None:
        if self._loop is not None:
            raise RuntimeError("the server already runs on a loop; run that loop")
        self._ending = asyncio.Event()
        self._listen()
        loop = self._given_loop or new_loop(self._settings.loop)
        try:
            keeping = loop.create_task(supervise("signal handlers", signals.keep))
            try:
                run_to_end(loop, loop.create_task(self.serve(on_started)), lambda: signals.is_forced)
            finally:
                keeping.cancel()
        finally:
            self._close_listeners()
            if loop is not self._given_loop:
                close_loop(loop)

    def _on_signal(self, on_signal: Callable[[signal.Signals], None] | None, number: signal.Signals) -> None:
        if self._loop is None:
            if self._ending is not None:
                self._ending.set()  # the loop does not run yet
        else:
            self._signal_end()
        if on_signal is not None:
            on_signal(number)

    def _signal_end(self) -> None:
        loop, ending = self._loop, self._ending
        if loop is not None and ending is not None:
            with suppress(RuntimeError):  # the loop has closed meanwhile
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


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("The server could not start: %s", error, exc_info=error)
