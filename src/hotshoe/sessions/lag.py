"""What a connection that can't keep up is to be told later: not the changes, but which values are stale.

Roots, titles and messages keep their order and are kept one by one; of properties and columns only their names
are, and when the connection has caught up with what it was sent, it gets their values of then, in one patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from .. import seams
from .encoding import EncodedEvent, encode_late

KEPT_BYTES_MOST = 16 * 2**20
"""What roots, titles and messages may take for one connection before it is given up."""


class Lag:
    """Begins when a connection has been sent all changes up to now, and can be sent no more for the moment.

    ``known`` are the models that its client will know once it has read what waits: those that it must not be sent
    a definition of, for to define a model twice is as wrong as not at all.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known = seams.known_ids(document)
        self._stale: dict[tuple[str, str], tuple[Model, str]] = {}
        self._kept: list[Any] = []
        self.kept_bytes = 0
        self.notices: dict[str, Any] = {}
        """What our script in the page was to be told, the latest of each kind."""

    def note(self, event: Any, encoded: EncodedEvent | None) -> None:
        """Remember that ``event`` happened; ``encoded`` is what it would have taken."""
        if (changed := seams.changed_property(event)) is not None:
            model, attr = changed
            self._stale[model.id, attr] = changed
        else:
            self._kept.append(event)
            self.kept_bytes += len(encoded.json) if encoded is not None else 0

    def catch_up(self) -> tuple[list[EncodedEvent], list[Exception]]:
        """All that was noted, with the values of now; and why some of it can't be told.

        Must be called with the document locked.
        """
        if not self._stale and not self._kept:
            return [], []
        for model in self._document.models:
            if model.id in self._known and seams.was_known(self._document, model):
                self._suspect(model)
        told: list[EncodedEvent] = []
        errors: list[Exception] = []
        for event in [*self._kept, *self._current()]:
            try:
                encoded = encode_late(self._document, event, self._known)
            except Exception as error:  # a value that JSON can't say; nobody has tried to encode it before
                errors.append(error)
            else:
                told.append(encoded)
                self._known.update(model.id for model in encoded.defined)
        return told, errors

    def _suspect(self, model: Model) -> None:
        # It once left the document and is there again. While it was away nobody watched it, and its client may
        # have missed both, so that all of its values may be stale.
        for attr in model.properties_with_values(include_defaults=True):
            self._stale[model.id, attr] = (model, attr)

    def _current(self) -> Iterator[DocumentPatchedEvent]:
        # A model that the client does not know comes with its definition, which has the values of now.
        for model, attr in self._stale.values():
            if model.id in self._known and model.document is self._document:
                yield seams.value_event(self._document, model, attr)
