"""The subscribers of a session: which changes each of them is sent, and when.

A subscriber that keeps up is sent each change. A slow one is sent nothing more until it has read all it was sent; then
it gets the current state of what it missed. No subscriber ever waits for another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.document import Document

from .. import seams, wire
from ..wire.messages import Outgoing
from .events import encode_event, patches
from .lag import KEPT_BYTES_MOST, Lag
from .lane import Section
from .outbox import Subscriber

LIVE_S = 0.05
"""How long a change may wait for the end of the callback that made it."""

TOO_SLOW = (1013, "the connection is too slow for this app")


class Audience:
    """The subscribers of one session.

    All methods run with the document locked, but ``leave``, ``notify`` and ``tell_live``, which any thread may call.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._mutex = threading.Lock()  # for the two tuples, which lane and loop both replace
        self._members: tuple[Subscriber, ...] = ()
        self._laggards: tuple[Subscriber, ...] = ()
        self._crowded = False

    def join(self, subscriber: Subscriber) -> None:
        """Send ``subscriber`` all changes from now on."""
        with self._mutex:
            self._members = (*self._members, subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Send it nothing more."""
        with self._mutex:
            self._members = _without(self._members, subscriber)
            self._laggards = _without(self._laggards, subscriber)

    def clear(self) -> None:
        """Remove all subscribers."""
        with self._mutex:
            self._members = self._laggards = ()

    def record(self, section: Section, event: Any, *, echo: bool) -> None:
        """Encode a change as it is now, for the subscribers that it is sent to."""
        members, laggards = self._members, self._laggards
        if not members or (echo and members == (section.origin,)):
            return
        encoded = None
        if len(laggards) < len(members) or seams.changed_property(event) is None:
            encoded = encode_event(event, echo=echo)
            section.add(encoded)
        for subscriber in laggards:
            if not (echo and subscriber is section.origin):
                self._note(subscriber, event, encoded)
        if self._crowded or time.monotonic() - section.told_s > LIVE_S:
            self.tell(section)

    def tell(self, section: Section, replies: Sequence[Outgoing] = ()) -> None:
        """Send the changes of the section that were not sent yet, then ``replies`` to the originator."""
        self._send(section, replies)
        if self._crowded:
            self._crowded = False
            for subscriber in self._members:
                if subscriber.outbox.is_over and subscriber.lag is None:
                    self._begin_lag(subscriber)

    def tell_live(self, section: Section) -> None:
        """Send the changes so far of a section that still runs."""
        if section.events and time.monotonic() - section.told_s > LIVE_S:
            self._send(section, ())

    def notify(self, metadata: Mapping[str, Any], *, besides: Subscriber | None = None) -> None:
        """Send a notice to our script in all pages (of laggards later), except that of ``besides``."""
        message = wire.notice(metadata)
        for subscriber in self._members:
            if subscriber is besides:
                continue
            if (lag := subscriber.lag) is None:
                subscriber.outbox.put([message])
            else:
                lag.notices.update(metadata)

    def renew(self, subscriber: Subscriber) -> None:
        """Note that it gets the whole document now, so that it has missed nothing."""
        subscriber.lag = None
        with self._mutex:
            self._laggards = _without(self._laggards, subscriber)

    def catch_up(self, subscriber: Subscriber) -> list[Exception]:
        """Send a laggard, which has read all it was sent, the current state of what it missed.

        Returns the errors of what can't be sent.
        """
        if subscriber.lag is None or subscriber not in self._members:
            return []
        if self._document.callbacks.hold_value is not None:
            return []  # nobody has been sent what the hold keeps back; when the hold ends, this is called again
        lag = subscriber.lag
        events, errors = lag.catch_up()
        self.renew(subscriber)
        notices = [wire.notice(lag.notices)] if lag.notices else []
        if subscriber.outbox.put([*patches(events), *notices]):
            self._begin_lag(subscriber)
        return errors

    def catch_up_all(self) -> list[Exception]:
        """``catch_up`` for all laggards that have read all they were sent."""
        waiting = [subscriber for subscriber in self._laggards if subscriber.outbox.is_drained]
        return [error for subscriber in waiting for error in self.catch_up(subscriber)]

    def _send(self, section: Section, replies: Sequence[Outgoing]) -> None:
        # Under the section's mutex, so that what is sent early can't come after what is sent at the end.
        with section.mutex:
            events, origin = section.take(), section.origin
            shared = patches(events) if events and self._members else []
            for subscriber in self._members:
                if subscriber.lag is None and subscriber is not origin and shared:
                    self._crowded |= subscriber.outbox.put(shared)
            if origin is not None:
                echoes = any(event.echo for event in events)
                own = patches([event for event in events if not event.echo]) if echoes else shared
                if origin.lag is not None or origin not in self._members:
                    own = []
                self._crowded |= origin.outbox.put([*own, *replies])

    def _begin_lag(self, subscriber: Subscriber) -> None:
        with self._mutex:
            if subscriber not in self._members:
                return
            self._laggards = (*_without(self._laggards, subscriber), subscriber)
        subscriber.lag = Lag(self._document)

    def _note(self, subscriber: Subscriber, event: Any, encoded: Any) -> None:
        assert subscriber.lag is not None
        subscriber.lag.note(event, encoded)
        if subscriber.lag.kept_bytes > KEPT_BYTES_MOST:
            subscriber.outbox.close(*TOO_SLOW)
            self.leave(subscriber)


def _without(some: tuple[Subscriber, ...], one: Subscriber) -> tuple[Subscriber, ...]:
    return tuple(other for other in some if other is not one)


class LateChanges:
    """Changes that were made without the lock. Each raised an error; its value is sent with the next section.

    ``add`` may be called from any thread.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._events: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, event: Any) -> None:
        """Keep a change."""
        self._events.append(event)

    def clear(self) -> None:
        """Drop all changes."""
        self._events.clear()

    def tell(self, section: Section, audience: Audience) -> list[Exception]:
        """Record all in ``section``, each property once with its current value. Returns what could not be encoded."""
        told: dict[Any, Any] = {}
        for _ in range(len(self._events)):
            event = self._events.pop(0)  # not all at once: another thread may be adding to this list
            changed = seams.changed_property(event)
            told[changed or id(event)] = event if changed is None else seams.value_event(self._document, *changed)
        errors: list[Exception] = []
        for event in told.values():
            try:
                audience.record(section, event, echo=False)
            except Exception as error:  # a value that JSON can't represent; the code that set it has gone on
                errors.append(error)
        return errors
