"""The connections that see a session: who is told what, and when.

A connection that keeps up is told each change. One that does not is told nothing more until it has read what it
was sent; then it gets the current state of what it missed. Nobody waits for anybody here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bokeh.document import Document

from .. import seams, wire
from ..wire.messages import Outgoing
from .encoding import encode_event
from .lag import KEPT_BYTES_MOST, Lag
from .section import Section, patches

if TYPE_CHECKING:
    from .connection import Connection

LIVE_S = 0.05
"""How long a change may wait for the callback that made it to end."""

TOO_SLOW = (1013, "the connection is too slow for this app")


class Audience:
    """The subscribers of one session. All but ``leave``, ``notify`` and ``tell_live`` runs with the document locked."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._mutex = threading.Lock()  # over the two tuples, which lane and loop both replace
        self._members: tuple[Connection, ...] = ()
        self._laggards: tuple[Connection, ...] = ()
        self._crowded = False

    def join(self, connection: Connection) -> None:
        """Tell ``connection`` all changes from now on."""
        with self._mutex:
            self._members = (*self._members, connection)

    def leave(self, connection: Connection) -> None:
        """Tell it nothing more. May be called from any thread."""
        with self._mutex:
            self._members = _without(self._members, connection)
            self._laggards = _without(self._laggards, connection)

    def clear(self) -> None:
        """Forget all."""
        with self._mutex:
            self._members = self._laggards = ()

    def record(self, section: Section, event: Any, *, echo: bool) -> None:
        """Encode a change as it is now, for whoever is to be told."""
        members, laggards = self._members, self._laggards
        if not members or (echo and members == (section.origin,)):
            return
        encoded = None
        if len(laggards) < len(members) or seams.changed_property(event) is None:
            encoded = encode_event(event, echo=echo)
            section.add(encoded)
        for connection in laggards:
            if not (echo and connection is section.origin):
                self._note(connection, event, encoded)
        if self._crowded or time.monotonic() - section.told_s > LIVE_S:
            self.tell(section)

    def tell(self, section: Section, replies: Sequence[Outgoing] = ()) -> None:
        """Send what the section has changed and was not sent yet, then ``replies`` to the originator."""
        self._send(section, replies)
        if self._crowded:
            self._crowded = False
            for connection in self._members:
                if connection.outbox.is_over and connection.lag is None:
                    self._begin_lag(connection)

    def tell_live(self, section: Section) -> None:
        """Send what a section that still runs has changed so far. May be called from any thread."""
        if section.events and time.monotonic() - section.told_s > LIVE_S:
            self._send(section, ())

    def notify(self, metadata: Mapping[str, Any], *, besides: Connection | None = None) -> None:
        """Tell our script in the pages, but for one that knows; laggards later. May be called from any thread."""
        message = wire.notice(metadata)
        for connection in self._members:
            if connection is besides:
                continue
            if (lag := connection.lag) is None:
                connection.outbox.put([message])
            else:
                lag.notices.update(metadata)

    def renew(self, connection: Connection) -> None:
        """It gets the whole document now, so that it has missed nothing."""
        connection.lag = None
        with self._mutex:
            self._laggards = _without(self._laggards, connection)

    def catch_up(self, connection: Connection) -> list[Exception]:
        """Send the current state of what a laggard missed, now that it has read all it was sent.

        Returns why some of it can't be sent.
        """
        if connection.lag is None or connection not in self._members:
            return []
        if self._document.callbacks.hold_value is not None:
            return []  # what a hold keeps back is known to nobody yet; the end of the hold comes back to this
        lag = connection.lag
        events, errors = lag.catch_up()
        connection.lag = None
        with self._mutex:
            self._laggards = _without(self._laggards, connection)
        notices = [wire.notice(lag.notices)] if lag.notices else []
        if connection.outbox.put([*patches(events), *notices]):
            self._begin_lag(connection)
        return errors

    def catch_up_all(self) -> list[Exception]:
        """Send the laggards that wait for it their current state."""
        waiting = [connection for connection in self._laggards if connection.outbox.is_drained]
        return [error for connection in waiting for error in self.catch_up(connection)]

    @property
    def has_laggards(self) -> bool:
        """Whether somebody does not keep up."""
        return bool(self._laggards)

    def _send(self, section: Section, replies: Sequence[Outgoing]) -> None:
        # Under the section's mutex, so that what is told live can't come after what is told at the end.
        with section.mutex:
            events, origin = section.take(), section.origin
            shared = patches(events)
            for connection in self._members:
                if connection.lag is None and connection is not origin and shared:
                    self._crowded |= connection.outbox.put(shared)
            if origin is not None:
                echoes = any(event.echo for event in events)
                own = patches([event for event in events if not event.echo]) if echoes else shared
                if origin.lag is not None or origin not in self._members:
                    own = []
                self._crowded |= origin.outbox.put([*own, *replies])

    def _begin_lag(self, connection: Connection) -> None:
        with self._mutex:
            if connection not in self._members:
                return
            self._laggards = (*_without(self._laggards, connection), connection)
        connection.lag = Lag(self._document)

    def _note(self, connection: Connection, event: Any, encoded: Any) -> None:
        assert connection.lag is not None
        connection.lag.note(event, encoded)
        if connection.lag.kept_bytes > KEPT_BYTES_MOST:
            connection.outbox.close(*TOO_SLOW)
            self.leave(connection)


def _without(some: tuple[Connection, ...], one: Connection) -> tuple[Connection, ...]:
    return tuple(other for other in some if other is not one)
