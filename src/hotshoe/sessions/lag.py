"""What a connection that can't keep up is sent later: not the changes, but the current values of what has changed.

Changes of roots and titles, and messages, are kept one by one in their order. Of properties and columns only the names
are kept. When the connection has read all it was sent, it gets their values of that moment, in one patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from .. import seams
from .events import EncodedEvent, encode_late

KEPT_BYTES_MOST = 16 * 2**20
"""Most bytes of roots, titles and messages that are kept for one connection; beyond that it is closed."""


class Lag:
    """What one connection misses from now on. It has been sent all changes up to now.

    ``_known`` are the models that its client knows once it has read what waits. It must not be sent their definitions:
    to define a model twice is as wrong as not to define it.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known = seams.known_ids(document)
        self._stale: dict[tuple[str, str], tuple[Model, str]] = {}
        self._kept: list[Any] = []
        self.kept_bytes = 0
        self.notices: dict[str, Any] = {}
        """The latest notice of each kind for our script in the page."""

    def note(self, event: Any, encoded: EncodedEvent | None) -> None:
        """Remember that ``event`` happened; ``encoded`` tells its size."""
        if (changed := seams.changed_property(event)) is not None:
            model, attr = changed
            self._stale[model.id, attr] = changed
        else:
            self._kept.append(event)
            self.kept_bytes += len(encoded.json) if encoded is not None else 0

    def catch_up(self) -> tuple[list[EncodedEvent], list[Exception]]:
        """All that was noted, with current values, and the errors of what can't be encoded.

        Call it with the document locked.
        """
        if not self._stale and not self._kept:
            return [], []
        for model in self._document.models:
            if model.id in self._known and seams.was_known(self._document, model):
                self._mark_all_stale(model)
        caught_up: list[EncodedEvent] = []
        errors: list[Exception] = []
        for event in [*self._kept, *self._current()]:
            try:
                encoded = encode_late(self._document, event, self._known)
            except Exception as error:  # a value that JSON can't represent; it is encoded here for the first time
                errors.append(error)
            else:
                caught_up.append(encoded)
                self._known.update(model.id for model in encoded.defined)
        return caught_up, errors

    def _mark_all_stale(self, model: Model) -> None:
        # The model has left the document and come back. Its changes in between were not recorded, and the client may
        # have missed that it left, so any of its values may be stale.
        for attr in model.properties_with_values(include_defaults=True):
            self._stale[model.id, attr] = (model, attr)

    def _current(self) -> Iterator[DocumentPatchedEvent]:
        # Models that the client does not know come with a definition, which has the current values.
        for model, attr in self._stale.values():
            if model.id in self._known and model.document is self._document:
                yield seams.value_event(self._document, model, attr)
