"""What has changed here while there is no connection: which values, not every value they had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bokeh.document import Document
from bokeh.document.events import (
    DocumentPatchedEvent,
    MessageSentEvent,
    RootAddedEvent,
    RootRemovedEvent,
    TitleChangedEvent,
)
from bokeh.model import Model

from .. import seams


class Stale:
    """The changes that are still to be said. It stays small however long it takes and however often a value changes."""

    def __init__(self, events: Iterable[DocumentPatchedEvent] = ()) -> None:
        self._values: dict[tuple[str, str], tuple[Model, str]] = {}
        self._roots: dict[str, RootAddedEvent | RootRemovedEvent] = {}
        self._title: TitleChangedEvent | None = None
        for event in events:
            self.note(event)

    def note(self, event: DocumentPatchedEvent) -> None:
        """Remember that something has changed. Messages, such as a click, are forgotten: they are of their moment."""
        changed = seams.changed_property(event)
        if changed is not None:
            self._values[changed[0].id, changed[1]] = changed
            return
        match event:
            case RootAddedEvent() | RootRemovedEvent():
                self._roots.pop(event.model.id, None)
                self._roots[event.model.id] = event
            case TitleChangedEvent():
                self._title = event
            case MessageSentEvent():
                pass

    def hold(self, model: Model, attr: str) -> None:
        """Remember that a value here counts more than that of the other side."""
        self._values[model.id, attr] = (model, attr)

    def update(self, later: Stale) -> None:
        """Add what has changed later."""
        self._values |= later._values
        self._roots |= later._roots
        self._title = later._title or self._title

    def __len__(self) -> int:
        return len(self._values) + len(self._roots) + (self._title is not None)

    def holds(self, model: Model, attr: str) -> bool:
        """Whether the value here is newer than that of the other side."""
        return (model.id, attr) in self._values

    @property
    def holds_title(self) -> bool:
        """Whether the title here is newer than that of the other side."""
        return self._title is not None

    @property
    def added_roots(self) -> list[Model]:
        """Roots that the other side does not know yet."""
        return [event.model for event in self._roots.values() if isinstance(event, RootAddedEvent)]

    @property
    def removed_roots(self) -> list[Model]:
        """Roots that the other side still has."""
        return [event.model for event in self._roots.values() if isinstance(event, RootRemovedEvent)]

    def events(self, document: Document, known: set[str]) -> Iterator[DocumentPatchedEvent]:
        """What to say, as things are now, to one who knows the models in ``known``, which may grow on the way."""
        if self._title is not None:
            yield self._title
        yield from self._roots.values()
        for model, attr in self._values.values():
            if model.document is document and model.id in known:  # else it is defined, values and all, or gone
                yield seams.value_event(document, model, attr)
