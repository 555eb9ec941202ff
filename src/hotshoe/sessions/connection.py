"""One websocket subscribed to a session: handles its messages, keeps what waits to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import seams, wire
from ..base.errors import ProtocolError, SessionGone
from ..wire.messages import Close, Incoming, Outgoing
from .failures import is_plain_exit
from .inbox import Inbox, Waiting
from .outbox import Subscriber
from .session import Session


class Connection:
    """A subscriber of ``session`` and the messages that it sends. It implements the host's ``Attachment``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._counters = session.counters
        self._inbox = Inbox(session.loop)
        self.subscriber = Subscriber(session.loop)

    async def receive(self) -> Sequence[Outgoing] | Close:
        """Wait for the next messages to send. The next call means that these have been sent."""
        outbox = self.subscriber.outbox
        if outbox.drain():
            self._session.catch_up(self.subscriber)
        messages = await outbox.receive()
        if not isinstance(messages, Close):
            self._counters.messages_out.add(len(messages))
        return messages

    def handle(self, message: Incoming) -> None:
        """Queue a message from the browser in the session's lane."""
        self._counters.messages_in.add()
        waiting = self._inbox.add(message, collapse=self._session.collapse)
        if waiting is not None:
            apply, answer = partial(self._apply, waiting), partial(self._answer, waiting)
            self._session.lane.run(apply, answer, origin=self.subscriber)

    async def ready(self) -> None:
        """Wait until another message may be handled, so that no client sends faster than it reads or its lane works."""
        await self._inbox.ready()
        await self.subscriber.outbox.ready()

    def detach(self) -> None:
        """End the subscription: the websocket is gone."""
        self._session.unsubscribe(self.subscriber)

    def _apply(self, waiting: Waiting) -> Sequence[Outgoing]:
        message = waiting.take()
        kind = wire.kind_of(message)
        wire.check_values(message)
        content = wire.decode_content(message)
        session = self._session
        match kind:
            case "PATCH-DOC":
                seams.apply_patch(session.document, content, message.buffers, self.subscriber)
            case "PULL-DOC-REQ":
                return [wire.reply("PULL-DOC-REPLY", message.msgid, session.pull(self.subscriber).body)]
            case "PUSH-DOC":
                seams.replace_document(session.document, content["doc"], message.buffers)
            case "SERVER-INFO-REQ":
                return [wire.server_info_reply(message.msgid, seams.BOKEH_VERSION)]
        return [wire.ok(msgid) for msgid in waiting.answers]

    def _answer(self, waiting: Waiting, replies: Any, error: BaseException | None) -> Sequence[Outgoing]:
        self._inbox.note_answer(waiting)
        match error:
            case None:
                return replies  # type: ignore[no-any-return]
            case ProtocolError():
                self.subscriber.outbox.close(error.close_code, error.detail)
                return ()
            case SessionGone():
                self.subscriber.end()
                return ()
            case _ if is_plain_exit(error):
                return [wire.ok(msgid) for msgid in waiting.answers]
        return self._session.reporter.replies(self.subscriber, waiting.message.msgtype, waiting.answers, error)


def attach(session: Session) -> Connection:
    """Subscribe a new connection to ``session``. Raises ``SessionGone``."""
    connection = Connection(session)
    session.subscribe(connection.subscriber)
    return connection
