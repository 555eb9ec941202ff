"""A session for programs without an event loop: ``AsyncSession`` on a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack, cast
from urllib.parse import quote_plus

from bokeh.document import Document
from bokeh.model import Model
from bokeh.util.browser import NEW_PARAM, get_browser_controller

from ..base.errors import ClientError, ClientTimeout, LostError
from ..base.threads import ThreadPool
from .async_session import AsyncSession
from .mirror import DocumentLock
from .terms import MAX_MESSAGE_BYTES, Arguments, ConnectOptions, MoreOptions

_CLOSED = "the session is closed"

P = ParamSpec("P")
T = TypeVar("T")


def blocking(method: Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]],
             ) -> Callable[Concatenate[Session, P], T]:
    """A method of ``AsyncSession`` as a method of ``Session`` that waits for it: same signature, same docstring."""
    @wraps(method)
    def wait(self: Session, /, *arguments: P.args, **named: P.kwargs) -> T:
        return self._wait(partial(method, self._session, *arguments, **named))

    wait.__qualname__ = f"Session.{method.__name__}"
    wait.__module__ = __name__
    wait.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    del wait.__wrapped__  # it is a coroutine function, and this is not
    return wait


def shared(attribute: Callable[[AsyncSession], T]) -> T:
    """A property of ``AsyncSession`` as the same property of ``Session``."""
    source = cast(property, attribute)

    def get(self: Session) -> Any:
        return source.__get__(self._session)

    return cast(T, property(get, doc=source.__doc__))


class Session:
    """A connection to a session on a server; make one with ``pull_session`` or ``push_session``, in a ``with``.

    The server's changes are applied, and callbacks run, on a thread of the session, under ``locked()``. Any thread may
    change the document.
    """

    def __init__(self, session_id: str | None = None, websocket_url: str = "default", io_loop: object = None,
                 arguments: Arguments | None = None, max_message_size: int = MAX_MESSAGE_BYTES,
                 **more: Unpack[MoreOptions]) -> None:
        options: ConnectOptions = {**more, "arguments": arguments, "max_message_size": max_message_size}
        self._portal = Portal()
        self._closed = False
        self._closing = threading.Lock()
        try:
            self._session = self._portal.call(self._make(session_id, websocket_url, options))
        except BaseException:
            self._portal.close()
            raise

    async def _make(self, session_id: str | None, url: str, options: ConnectOptions) -> AsyncSession:
        return AsyncSession(session_id, url, run=self._portal.run, throttle=self._throttle, **options)

    @property
    def document(self) -> Document:
        """The document; ``None`` until it has been pulled or pushed."""
        return self._session.document  # type: ignore[return-value]  # typed as in bokeh, for scripts

    id = shared(AsyncSession.id)
    url = shared(AsyncSession.url)
    server_url = shared(AsyncSession.server_url)
    connected = shared(AsyncSession.connected)

    connect = blocking(AsyncSession.connect)
    pull = blocking(AsyncSession.pull)
    push = blocking(AsyncSession.push)
    force_roundtrip = blocking(AsyncSession.force_roundtrip)
    request_server_info = blocking(AsyncSession.request_server_info)

    def locked(self) -> DocumentLock:
        """A context in which no callback runs, and no change from the server is applied."""
        return self._session.locked()

    def show(self, obj: Model | None = None, browser: str | None = None, new: str = "tab") -> None:
        """Show the session in a browser, with ``obj`` added to the document if it is not in it."""
        if obj is not None and obj not in self.document.roots:
            self.document.add_root(obj)
            self.force_roundtrip()
        open_page(self.server_url, self.id, browser=browser, new=new)

    def wait_until_closed(self, timeout: float | None = None) -> None:
        """Wait, while callbacks run, until ``close`` is called elsewhere.

        Raises ``LostError`` if the session is lost first, ``ClientTimeout`` after ``timeout`` seconds.
        """
        if self._closed:
            return
        try:
            self._wait(self._session.wait_until_closed, timeout)
        except LostError:
            raise
        except ClientError:
            if not self._closed:
                raise
        except TimeoutError:
            raise ClientTimeout(f"the session was not closed within {timeout} s") from None

    def loop_until_closed(self) -> None:
        """As ``wait_until_closed``, but Ctrl-C closes the session."""
        try:
            self.wait_until_closed()
        except KeyboardInterrupt:
            self.close()

    def close(self, why: str = "closed", *, deliver: bool = True) -> None:
        """Deliver the changes, then disconnect. Raises ``ClientError`` if a change did not arrive.

        The server keeps the session for as long as it keeps any session without a connection.
        """
        self._close(partial(self._session.close, deliver=deliver))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._close(partial(self._session.__aexit__, kind, error, traceback))

    def _close(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._check_that_it_can_wait()
        with self._closing:
            if self._closed:
                return
            self._closed = True
        try:
            self._portal.call(work())
        finally:
            self._portal.close()

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None) -> T:
        if self._closed:
            raise ClientError(_CLOSED)
        self._check_that_it_can_wait()
        return self._portal.call(work(), timeout_s)

    def _check_that_it_can_wait(self) -> None:
        if self._portal.is_here or self._session.locked().held:
            raise RuntimeError("can't wait for the server in a callback or inside session.locked(), where its answer "
                               "could not be applied; use another thread")

    def _throttle(self) -> None:
        if not (self._portal.is_here or self._session.locked().held):
            self._session.wait_for_room()


def open_page(server_url: str, session_id: str | None, *, browser: str | None = None, new: str = "tab",
              controller: Any = None) -> None:
    """Open the session's page in ``browser``, or with ``controller``, which is like the module ``webbrowser``.

    Without an id, the page makes a new session.
    """
    if new not in NEW_PARAM:
        raise ValueError(f"new has to be one of {', '.join(NEW_PARAM)}, not {new!r}")
    opener = get_browser_controller(browser=browser) if controller is None else controller
    query = "" if session_id is None else f"?bokeh-session-id={quote_plus(session_id)}"
    opener.open(server_url + query, new=NEW_PARAM[new])


class Portal:
    """An event loop on a thread of its own, for callers that have none, and a second thread, for callbacks.

    Any thread may call coroutines there, until ``close``. anyio's portal is similar, but its thread keeps a process
    from ending while a session is open.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hotshoe-client", daemon=True)
        self._thread.start()
        self._callbacks = ThreadPool(1, name="hotshoe-client-callbacks")
        self._closing = threading.Lock()
        self._closed = False

    @property
    def is_here(self) -> bool:
        """Whether this is the loop's own thread, which can't wait for itself."""
        return threading.current_thread() is self._thread

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the loop and wait for its result; an interruption here cancels it there.

        Raises ``ClientError`` if ``close`` is called before its end.
        """
        with self._closing:  # close() cancels work that began before it; no work begins after it
            if self._closed:
                work.close()
                raise ClientError(_CLOSED)
            future = self._start(work)
        try:
            return future.result(timeout_s)
        except CancelledError:
            raise ClientError(_CLOSED) from None
        except BaseException:
            future.cancel()
            raise

    async def run(self, function: Callable[[], Any]) -> Any:
        """Run a function on the thread for callbacks; they run one at a time."""
        return await self._loop.run_in_executor(self._callbacks, function)

    def close(self) -> None:
        """End both threads, without waiting for a running callback."""
        with self._closing:
            self._closed = True
        self._callbacks.shutdown(cancel_futures=True)
        self._start(_end_tasks()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
