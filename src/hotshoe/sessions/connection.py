"""One websocket subscribed to a session: answers its messages, holds what waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import seams, wire
from ..errors import ProtocolError, SessionGone
from ..wire.messages import Close, Incoming, Outgoing
from .failures import is_plain_exit
from .inbox import Inbox, Waiting
from .lag import Lag
from .outbox import Outbox

if TYPE_CHECKING:
    from .session import Session

SESSION_ENDED = Close(1001, "the session has ended")


class Connection:
    """A subscriber of ``session``. It implements the host's ``Attachment``."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._inbox = Inbox(loop)
        self.outbox = Outbox(loop)
        self.lag: Lag | None = None
        """What it is to be told once it has read what it was sent, if it can't keep up."""

    def greet(self) -> None:
        """Queue the ACK that begins every conversation."""
        self.outbox.put([wire.ack()])

    async def receive(self) -> Sequence[Outgoing] | Close:
        """Wait for what is to be sent next. To ask again says that what came before has been sent."""
        if self.outbox.drain():
            self._session.catch_up(self)
        return await self.outbox.receive()

    def handle(self, message: Incoming) -> None:
        """Queue a message from the browser in the session's lane."""
        waiting = self._inbox.add(message, collapse=self._session.collapse)
        if waiting is not None:
            self._session.lock(partial(self._apply, waiting), partial(self._answer, waiting), origin=self)

    async def ready(self) -> None:
        """Wait until another message may be handled: a client is read no faster than its lane works and it reads."""
        await self._inbox.ready()
        await self.outbox.ready()

    def detach(self) -> None:
        """The websocket is gone."""
        self._session.detach(self)

    def _apply(self, waiting: Waiting) -> Sequence[Outgoing]:
        message = waiting.take()
        kind = wire.kind_of(message)
        content = wire.decode_content(message)
        session = self._session
        match kind:
            case "PATCH-DOC":
                seams.apply_patch(session.document, content, message.buffers, self)
            case "PULL-DOC-REQ":
                return [wire.reply("PULL-DOC-REPLY", message.msgid, session.pull(self).body)]
            case "PUSH-DOC":
                seams.replace_document(session.document, content["doc"], message.buffers)
            case "SERVER-INFO-REQ":
                return [wire.server_info_reply(message.msgid, seams.BOKEH_VERSION)]
        return [wire.ok(msgid) for msgid in waiting.answers]

    def _answer(self, waiting: Waiting, replies: Any, error: BaseException | None) -> Sequence[Outgoing]:
        self._inbox.answered()
        match error:
            case None:
                return replies  # type: ignore[no-any-return]
            case ProtocolError():
                self.outbox.close(error.close_code, error.detail)
                return ()
            case SessionGone():
                self.outbox.close(SESSION_ENDED.code, SESSION_ENDED.reason)
                return ()
            case _ if is_plain_exit(error):
                return [wire.ok(msgid) for msgid in waiting.answers]
        return self._session.error_replies(self, waiting.message.msgtype, waiting.answers, error)
