"""A session for asyncio: a document that is kept like that of a session on a server, both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent

from .. import client_seams
from ..errors import ClientError, LostError
from ..wire import Incoming, pull_doc_request, server_info_request
from .callbacks import Callbacks
from .line import Line
from .locking import DocumentLock
from .mirror import Mirror
from .options import Options, terms_of
from .outbox import Item
from .replies import check_version, content_of, document_of, in_one_line
from .stale import Stale

_log = logging.getLogger(__name__)

T = TypeVar("T")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


class AsyncSession:
    """A connection to a session on a server; make one with ``pull_session_async`` or ``push_session_async``.

    The document is changed on the event loop, where its callbacks run too, always under ``locked()``.
    """

    def __init__(self, session_id: str | None = None, url: str = "default", *, run: Run | None = None,
                 throttle: Callable[[], None] = lambda: None, **options: Unpack[Options]) -> None:
        self._terms = terms_of(session_id, url, options)
        client_seams.claim_ids()
        self._on_lost = options.get("on_lost")
        self._on_reconnect = options.get("on_reconnect")
        self._loop = asyncio.get_running_loop()
        self._lock = DocumentLock()
        self._run_outside = run
        self._line = Line(self._terms, self)
        self._callbacks = Callbacks(self._loop, self._run)
        self._mirror = Mirror(self._lock, changed=self._changed, throttle=throttle,
                              added=self._callbacks.add, removed=self._callbacks.remove)
        self._stale = Stale()
        self._online = True
        """Whether changes are sent; else they become stale."""
        self._deaf = True
        """Whether what the server says of its document is void, since the whole is on its way."""
        self._newer: Stale | None = None
        """While the document is renewed, what has been changed here since it was asked for."""
        self._pushes = False
        self._resyncing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._info: dict[str, Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- what it is

    @property
    def document(self) -> Document | None:
        """The document; ``None`` until it has been pulled or pushed."""
        return self._mirror.document

    @property
    def id(self) -> str:
        """The session's id."""
        return self._terms.credentials.session_id

    @property
    def url(self) -> str:
        """The address of the websocket, as ``bokeh.client`` has it."""
        return self._terms.address.socket

    @property
    def server_url(self) -> str:
        """The address of the app's page."""
        return self._terms.address.page

    @property
    def connected(self) -> bool:
        """Whether the connection works just now. While it does not, it is made anew."""
        return self._line.connected

    def locked(self) -> DocumentLock:
        """A context in which nothing else changes the document. Do not await in it."""
        return self._lock

    def wait_for_room(self) -> None:
        """Wait, in a thread, while much more has been changed than the network has taken."""
        self._line.outbox.wait_for_room()

    # -- what it does

    async def connect(self) -> None:
        """Connect, without pulling or pushing. Raises ``ClientError``."""
        await self._line.open()

    async def pull(self) -> None:
        """Take over the server's document. What has been changed here and is on its way stays as it is here."""
        await self.connect()
        self._pushes = False
        await self._line.ask(self._put_pull, partial(self._handle, self._pulled))

    async def push(self, document: Document | None = None) -> None:
        """Let the server take over the document, the session's own or a new one."""
        await self.connect()
        check_version((await self.request_server_info()).get("version_info", {}).get("bokeh"))
        self._pushes = True
        pushed = next(each for each in (document, self.document, Document()) if each is not None)
        await self._line.ask(partial(self._put_push, pushed), partial(self._handle, self._took_push))

    async def force_roundtrip(self) -> None:
        """Wait until the server has applied all that was changed here, and has run the callbacks for it."""
        self._info = await self._line.ask(self._put_info, partial(self._handle, content_of))

    async def request_server_info(self) -> dict[str, Any]:
        """What the server says about itself; it is asked once."""
        if self._info is None:
            await self.connect()
            await self.force_roundtrip()
        return self._info or {}

    async def wait_until_closed(self) -> None:
        """Wait until ``close`` is called. Raises ``LostError`` if the session is lost first."""
        await asyncio.shield(self._ended)

    async def close(self, *, deliver: bool = True) -> None:
        """Deliver what was changed, then disconnect. Raises ``ClientError`` if that did not arrive.

        The session on the server stays as long as the server keeps sessions without viewers.
        """
        if self._line.closed:
            return
        try:
            if deliver and (owed := len(self._stale) + len(self._line.outbox.unconfirmed)):
                await self._deliver(owed)
        finally:
            await self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        try:
            await self.close(deliver=kind is None or issubclass(kind, Exception))
        except ClientError as failure:
            if error is None:
                raise
            _log.warning("%s", failure)

    async def _deliver(self, owed: int) -> None:
        try:
            await self.force_roundtrip()
        except ClientError as error:
            raise type(error)(f"{owed} change{'s' * (owed > 1)} may not have arrived: {error}") from error

    async def _end(self) -> None:
        self._callbacks.stop()
        await self._line.close()
        self._mirror.detach()
        for task in self._tasks:
            task.cancel()
        if not self._ended.done():
            self._ended.set_result(None)

    # -- questions

    async def _put_pull(self, msgid: str) -> None:
        self._line.outbox.put(Item(msgid, pull_doc_request(msgid)))

    async def _put_push(self, document: Document, msgid: str) -> None:
        await self._run(partial(self._put_push_locked, document, msgid))

    def _put_push_locked(self, document: Document, msgid: str) -> None:
        self._mirror.attach(document)
        self._stale = Stale()  # the whole document says it all
        self._online = self._deaf = True
        self._line.outbox.put(Item(msgid, self._mirror.push(msgid)))

    async def _put_info(self, msgid: str) -> None:
        self._line.outbox.put(Item(msgid, server_info_request(msgid)))

    async def _handle(self, take: Callable[[Incoming], T], message: Incoming) -> T:
        if message.msgtype == "ERROR":
            self._deaf = False
            raise ClientError(f"the server could not do it: {in_one_line(content_of(message).get('text'))}")
        result: T = await self._run(partial(take, message))
        return result

    def _pulled(self, message: Incoming) -> None:
        content = document_of(message)
        self._newer = stale = Stale(self._line.outbox.unconfirmed)
        try:
            if self._mirror.is_state_of(content, stale):
                _, errors = self._mirror.renew(content, message.buffers, stale)
                _report(errors)
            else:
                self._mirror.replace(content, message.buffers)
        finally:
            self._newer = None
        self._deaf = self._resyncing = False

    def _took_push(self, message: Incoming) -> None:
        self._deaf = False

    # -- the line's listener

    async def hear(self, message: Incoming) -> None:
        """A message that answers no question."""
        match message.msgtype:
            case "PATCH-DOC" if not self._deaf and self.document is not None:
                await self._run(partial(self._apply, message))
            case "OK" | "ERROR" if message.reqid is not None:
                self._line.outbox.confirm(message.reqid)
                if message.msgtype == "ERROR":
                    text = in_one_line(content_of(message).get("text"))
                    _log.error("The server has failed to take a change: %s", text)

    async def resume(self) -> None:
        """There is a connection again: bring both sides together."""
        if self.document is None:
            self._online = True
            return
        self._deaf = True
        if not await self._line.ask_now(self._put_pull, partial(self._handle, self._rejoined)):
            await self._line.ask_now(partial(self._put_push, self.document), partial(self._handle, self._took_push))
        if self._on_reconnect is not None:
            self._later(self._on_reconnect)

    async def cut(self) -> None:
        """The connection has ended: changes are noted until there is another."""
        await self._run(self._go_offline)

    async def lost(self, error: LostError) -> None:
        """It will not come back."""
        self._callbacks.stop()
        if self._on_lost is not None:
            await self._call(partial(self._on_lost, error))
        else:
            _log.error("%s", error)
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # nobody may wait for it

    def _apply(self, message: Incoming) -> None:
        try:
            self._mirror.apply(content_of(message), message.buffers)
        except Exception:
            _log.exception("A change from the server was not applied as it should; the document is pulled again")
            self._loop.call_soon_threadsafe(self._resync)

    def _resync(self) -> None:
        if not self._resyncing:
            self._resyncing = True
            self._spawn(self._pull_again())

    async def _pull_again(self) -> None:
        try:
            await self._line.ask(self._put_pull, partial(self._handle, self._pulled))
        except ClientError as error:
            self._resyncing = False
            _log.error("The document could not be pulled again: %s", error)

    def _go_offline(self) -> None:
        self._online = False
        sent, unsent = self._line.outbox.cut()
        noted, self._stale = self._stale, Stale([*sent, *unsent])
        self._stale.update(noted)

    def _rejoined(self, message: Incoming) -> bool:
        content = document_of(message)
        self._hold_subscriptions()
        if self._mirror.is_state_of(content, self._stale):
            known, errors = self._mirror.renew(content, message.buffers, self._stale)
            self._say_stale(known)
            _report(errors)
        elif self._pushes:
            return False
        else:
            _log.warning("The server at %s has begun the session anew: its document has replaced the one here%s",
                         self.server_url, ", with changes that had not arrived" if len(self._stale) else "")
            self._mirror.replace(content, message.buffers)
        self._stale = Stale()
        self._online, self._deaf = True, False
        return True

    def _hold_subscriptions(self) -> None:
        # A server that was started again does not know which events are listened to here.
        assert self.document is not None
        for model in self.document.models:
            if getattr(model, "subscribed_events", None):
                self._stale.hold(model, "subscribed_events")

    def _say_stale(self, known: set[str]) -> None:
        assert self.document is not None
        for event in self._stale.events(self.document, known):
            msgid = self._line.new_id()
            self._line.outbox.put(Item(msgid, self._mirror.late_patch(msgid, event, known), event))

    # -- changes made here

    def _changed(self, event: DocumentPatchedEvent) -> None:
        self._line.check()
        if self._online:
            msgid = self._line.new_id()
            self._line.outbox.put(Item(msgid, self._mirror.patch(msgid, event), event))
            if self._newer is not None:
                self._newer.note(event)
        else:
            self._stale.note(event)

    async def _run(self, function: Callable[[], Any]) -> Any:
        locked = partial(self._locked, function)
        return locked() if self._run_outside is None else await self._run_outside(locked)

    def _locked(self, function: Callable[[], T]) -> T:
        with self._lock:
            return function()

    def _later(self, function: Callable[[], Any]) -> None:
        self._spawn(self._call(function))

    async def _call(self, function: Callable[[], Any]) -> None:
        try:
            await self._run(function)
        except Exception:
            _log.exception("A callback of the session has failed")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _report(errors: list[Exception]) -> None:
    for error in errors:
        _log.error("A callback has failed while the document was renewed", exc_info=error)
