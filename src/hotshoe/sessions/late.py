"""Changes that were made without the lock. Whoever made one got an error; its value travels with the next section."""

from __future__ import annotations

from typing import Any

from bokeh.document import Document

from .. import seams
from .audience import Audience
from .section import Section


class LateChanges:
    """Waits for a section to tell them. ``add`` may be called from any thread."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._events: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, event: Any) -> None:
        """One more."""
        self._events.append(event)

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()

    def tell(self, section: Section, audience: Audience) -> list[Exception]:
        """Record all in ``section``, each property once and as it is now. Returns why some of it can't be said."""
        told: dict[Any, Any] = {}
        for _ in range(len(self._events)):
            event = self._events.pop(0)  # not all at once: another thread may be adding to this list
            changed = seams.changed_property(event)
            told[changed or id(event)] = event if changed is None else seams.value_event(self._document, *changed)
        errors: list[Exception] = []
        for event in told.values():
            try:
                audience.record(section, event, echo=False)
            except Exception as error:  # a value that JSON can't say; whoever set it has gone on
                errors.append(error)
        return errors
