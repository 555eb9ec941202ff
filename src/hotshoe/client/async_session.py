"""A session for asyncio: a document that is kept equal to the document of a session on a server, in both directions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent

from ..base.errors import ClientError, LostError
from ..seams import client
from ..wire import Incoming, Outgoing, pull_doc_request, server_info_request
from .line import Handle, Line, Put
from .mirror import DocumentLock, Mirror, Stale, check_version, document_of
from .send_queue import QueuedMessage
from .terms import ConnectOptions, terms_of
from .timers import CallbackTimers
from .websocket import content_of, printable_line

_log = logging.getLogger(__name__)

T = TypeVar("T")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


class AsyncSession:
    """A connection to a session on a server; make one with ``pull_session_async`` or ``push_session_async``.

    The server's changes are applied on the event loop, where callbacks run too, always under ``locked()``.
    """

    def __init__(self, session_id: str | None = None, url: str = "default", *, run: Run | None = None,
                 throttle: Callable[[], None] = lambda: None, **options: Unpack[ConnectOptions]) -> None:
        self._terms = terms_of(session_id, url, options)
        client.claim_ids()
        self._on_lost = options.get("on_lost")
        self._on_reconnect = options.get("on_reconnect")
        self._loop = asyncio.get_running_loop()
        self._lock = DocumentLock()
        self._run_outside = run
        self._line = Line(self._terms, self)
        self._callbacks = CallbackTimers(self._loop, self._run)
        self._mirror = Mirror(self._lock, changed=self._send_change, throttle=throttle,
                              added=self._callbacks.add, removed=self._callbacks.remove)
        self._stale = Stale()
        self._online = True
        """Whether changes are sent. If not, they are noted as stale."""
        self._ignores_patches = True
        """Whether the server's patches are ignored, because its whole document is on its way."""
        self._newer: Stale | None = None
        """While the document is renewed, the changes that were made here since it was requested."""
        self._is_pushed = False
        self._resyncing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._info: dict[str, Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

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
        """Whether there is a connection now. If not, the session tries to connect again."""
        return self._line.connected

    def locked(self) -> DocumentLock:
        """A context in which nothing else changes the document. Do not await in it."""
        return self._lock

    def wait_for_room(self) -> None:
        """Wait, in a thread, while too many changes are queued for the network."""
        self._line.queue.wait_for_room()

    async def connect(self) -> None:
        """Connect, without pulling or pushing. Raises ``ClientError``."""
        await self._line.open()

    async def pull(self) -> None:
        """Take over the server's document. Changes made here that are on their way to the server are kept."""
        await self.connect()
        self._is_pushed = False
        await self._line.ask(*self._question(pull_doc_request, self._take_document))

    async def push(self, document: Document | None = None) -> None:
        """Have the server take over this document, the session's document, or a new one."""
        await self.connect()
        check_version((await self.request_server_info()).get("version_info", {}).get("bokeh"))
        self._is_pushed = True
        pushed = next(each for each in (document, self.document, Document()) if each is not None)
        await self._line.ask(*self._push_question(pushed))

    async def force_roundtrip(self) -> None:
        """Wait until the server has applied the changes made here, and has run their callbacks."""
        self._info = await self._line.ask(*self._question(server_info_request, content_of))

    async def request_server_info(self) -> dict[str, Any]:
        """The server's description of itself, its versions; it is requested once."""
        if self._info is None:
            await self.connect()
            await self.force_roundtrip()
        return self._info or {}

    async def wait_until_closed(self) -> None:
        """Wait until ``close`` is called. Raises ``LostError`` if the session is lost first."""
        await asyncio.shield(self._ended)

    async def close(self, *, deliver: bool = True) -> None:
        """Deliver the changes, then disconnect. Raises ``ClientError`` if a change did not arrive.

        The server keeps the session for as long as it keeps any session without a connection.
        """
        if self._line.closed:
            return
        try:
            if deliver and (count := len(self._stale) + len(self._line.queue.unconfirmed)):
                await self._deliver(count)
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

    async def _deliver(self, count: int) -> None:
        try:
            await self.force_roundtrip()
        except ClientError as error:
            raise type(error)(f"{count} change{'s' * (count > 1)} may not have arrived: {error}") from error

    async def _end(self) -> None:
        self._callbacks.stop()
        try:
            await self._line.close()
        finally:
            self._mirror.detach()
            for task in self._tasks:
                task.cancel()
            if not self._ended.done():
                self._ended.set_result(None)

    def _question(self, request: Callable[[str], Outgoing], take: Callable[[Incoming], T]) -> tuple[Put, Handle[T]]:
        async def put(msgid: str) -> None:
            self._line.queue.put(QueuedMessage(msgid, request(msgid)))

        return put, partial(self._handle, take)

    def _push_question(self, document: Document) -> tuple[Put, Handle[None]]:
        async def put(msgid: str) -> None:
            await self._run(partial(self._put_push, document, msgid))

        return put, partial(self._handle, self._finish_push)

    def _put_push(self, document: Document, msgid: str) -> None:
        self._mirror.attach(document)
        self._stale = Stale()  # the whole document has all changes
        self._online = self._ignores_patches = True
        self._line.queue.put(QueuedMessage(msgid, self._mirror.push(msgid)))

    async def _handle(self, take: Callable[[Incoming], T], message: Incoming) -> T:
        if message.msgtype == "ERROR":
            self._ignores_patches = False
            raise ClientError(f"the server answered with an error: {printable_line(content_of(message).get('text'))}")
        result: T = await self._run(partial(take, message))
        return result

    def _take_document(self, message: Incoming) -> None:
        content = document_of(message)
        self._newer = stale = Stale(self._line.queue.unconfirmed)
        try:
            if self._mirror.is_state_of(content, stale):
                _, errors = self._mirror.renew(content, message.buffers, stale)
                _report(errors)
            else:
                self._mirror.replace(content, message.buffers)
        finally:
            self._newer = None
        self._ignores_patches = self._resyncing = False

    def _finish_push(self, _: Incoming) -> None:
        self._ignores_patches = False

    async def handle_message(self, message: Incoming) -> None:
        """As ``Listener`` says."""
        match message.msgtype:
            case "PATCH-DOC" if not self._ignores_patches and self.document is not None:
                await self._run(partial(self._apply, message))
            case "OK" | "ERROR" if message.reqid is not None:
                self._line.queue.confirm(message.reqid)
                if message.msgtype == "ERROR":
                    text = printable_line(content_of(message).get("text"))
                    _log.error("The server could not apply a change: %s", text)

    async def handle_reconnect(self) -> None:
        """Make both documents equal again."""
        if self.document is None:
            self._online = True
            return
        self._ignores_patches = True
        if not await self._line.ask_now(*self._question(pull_doc_request, self._merge)):
            await self._line.ask_now(*self._push_question(self.document))
        if self._on_reconnect is not None:
            self._spawn(self._call(self._on_reconnect))

    async def handle_cut(self) -> None:
        """Note changes until there is another connection."""
        await self._run(self._go_offline)

    async def handle_loss(self, error: LostError) -> None:
        """Tell the program."""
        self._callbacks.stop()
        if self._on_lost is not None:
            await self._call(partial(self._on_lost, error))
        else:
            _log.error("%s", error)
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # possibly nobody waits for it

    def _apply(self, message: Incoming) -> None:
        try:
            self._mirror.apply(content_of(message), message.buffers)
        except Exception:
            _log.exception("A change from the server could not be applied, so the document is pulled again")
            self._loop.call_soon_threadsafe(self._resync)

    def _resync(self) -> None:
        if not self._resyncing:
            self._resyncing = True
            self._spawn(self._pull_again())

    async def _pull_again(self) -> None:
        try:
            await self._line.ask(*self._question(pull_doc_request, self._take_document))
        except ClientError as error:
            self._resyncing = False
            _log.error("The document could not be pulled again: %s", error)

    def _go_offline(self) -> None:
        self._online = False
        sent, unsent = self._line.queue.clear()
        noted, self._stale = self._stale, Stale([*sent, *unsent])
        self._stale.update(noted)

    def _merge(self, message: Incoming) -> bool:
        """Whether the pulled document is in use; if not, ours has to be pushed."""
        content = document_of(message)
        self._hold_subscriptions()
        if self._mirror.is_state_of(content, self._stale):
            known, errors = self._mirror.renew(content, message.buffers, self._stale)
            self._send_stale(known)
            _report(errors)
        elif self._is_pushed:
            return False
        else:
            _log.warning("The server at %s has a new session, whose document replaces the one here%s", self.server_url,
                         ", and changes that had not arrived are lost" if len(self._stale) else "")
            self._mirror.replace(content, message.buffers)
        self._stale = Stale()
        self._online, self._ignores_patches = True, False
        return True

    def _hold_subscriptions(self) -> None:
        # A restarted server does not know which events have listeners here.
        assert self.document is not None
        for model in self.document.models:
            if getattr(model, "subscribed_events", None):
                self._stale.hold(model, "subscribed_events")

    def _send_stale(self, known: set[str]) -> None:
        assert self.document is not None
        for event in self._stale.events(self.document, known):
            msgid = self._line.new_id()
            self._line.queue.put(QueuedMessage(msgid, self._mirror.late_patch(msgid, event, known), event))

    def _send_change(self, event: DocumentPatchedEvent) -> None:
        self._line.check()
        if self._online:
            msgid = self._line.new_id()
            self._line.queue.put(QueuedMessage(msgid, self._mirror.patch(msgid, event), event))
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

    async def _call(self, function: Callable[[], Any]) -> None:
        try:
            await self._run(function)
        except Exception:
            _log.exception("A callback of the session failed")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _report(errors: list[Exception]) -> None:
    for error in errors:
        _log.error("A callback failed while the document was renewed", exc_info=error)
