"""A session for programs without an event loop: ``AsyncSession`` on a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from bokeh.document import Document
from bokeh.model import Model

from ..errors import ClientError, ClientTimeout
from .async_session import AsyncSession
from .locking import DocumentLock
from .options import MAX_MESSAGE_BYTES, Arguments, More, Options
from .portal import Portal
from .showing import open_page

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Session:
    """A connection to a session on a server; make one with ``pull_session`` or ``push_session``, in a ``with``.

    What the server changes is applied to the document, and callbacks run, on a thread of the session's, under
    ``locked()``. The document may be changed from any thread.
    """

    def __init__(self, session_id: str | None = None, websocket_url: str = "default", io_loop: object = None,
                 arguments: Arguments | None = None, max_message_size: int = MAX_MESSAGE_BYTES,
                 **more: Unpack[More]) -> None:
        options: Options = {**more, "arguments": arguments, "max_message_size": max_message_size}
        self._portal = Portal()
        self._closed = False
        try:
            self._session = self._portal.call(self._made(session_id, websocket_url, options))
        except BaseException:
            self._portal.close()
            raise

    async def _made(self, session_id: str | None, url: str, options: Options) -> AsyncSession:
        return AsyncSession(session_id, url, run=self._portal.run, throttle=self._throttle, **options)

    # -- what it is

    @property
    def document(self) -> Document:
        """The document; ``None`` until it has been pulled or pushed."""
        return self._session.document  # type: ignore[return-value]  # as bokeh's, which is what scripts are typed for

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session.id

    @property
    def url(self) -> str:
        """The address of the websocket, as ``bokeh.client`` has it."""
        return self._session.url

    @property
    def server_url(self) -> str:
        """The address of the app's page."""
        return self._session.server_url

    @property
    def connected(self) -> bool:
        """Whether the connection works just now. While it does not, it is made anew."""
        return self._session.connected

    def locked(self) -> DocumentLock:
        """A context in which no callback runs, and nothing that comes from the server is applied."""
        return self._session.locked()

    # -- what it does

    def connect(self) -> None:
        """Connect, without pulling or pushing. Raises ``ClientError``."""
        self._wait(self._session.connect())

    def pull(self) -> None:
        """Take over the server's document. What has been changed here and is on its way stays as it is here."""
        self._wait(self._session.pull())

    def push(self, document: Document | None = None) -> None:
        """Let the server take over the document, the session's own or a new one."""
        self._wait(self._session.push(document))

    def force_roundtrip(self) -> None:
        """Wait until the server has applied all that was changed here, and has run the callbacks for it."""
        self._wait(self._session.force_roundtrip())

    def request_server_info(self) -> dict[str, Any]:
        """What the server says about itself; it is asked once."""
        return self._wait(self._session.request_server_info())

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
            self._wait(self._session.wait_until_closed(), timeout)
        except TimeoutError as error:
            if isinstance(error, ClientError):
                raise
            raise ClientTimeout(f"the session was not closed within {timeout} s") from None

    def loop_until_closed(self) -> None:
        """``wait_until_closed``, which Ctrl-C ends too."""
        try:
            self.wait_until_closed()
        except KeyboardInterrupt:
            self.close()

    def close(self, why: str = "closed", *, deliver: bool = True) -> None:
        """Deliver what was changed, then disconnect. Raises ``ClientError`` if that did not arrive.

        The session on the server stays as long as the server keeps sessions without viewers.
        """
        if self._closed:
            return
        self._refuse_to_wait_here()
        self._closed = True
        try:
            self._portal.call(self._session.close(deliver=deliver))
        finally:
            self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            self.close(deliver=kind is None or issubclass(kind, Exception))
        except ClientError as failure:
            if error is None:
                raise
            _log.warning("%s", failure)

    def _wait(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        try:
            if self._closed:
                raise ClientError("the session is closed")
            self._refuse_to_wait_here()
        except BaseException:
            work.close()
            raise
        return self._portal.call(work, timeout_s)

    def _refuse_to_wait_here(self) -> None:
        if self._portal.is_here or self._session.locked().held:
            raise RuntimeError("the server can't be waited for in a callback or inside session.locked(): its answer "
                               "could not be applied; do it in another thread")

    def _throttle(self) -> None:
        if not (self._portal.is_here or self._session.locked().held):
            self._session.wait_for_room()
