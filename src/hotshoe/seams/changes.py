"""Changes that come from clients, and what a change is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bokeh.core.serialization import Buffer, Deserializer, Serialized, UnknownReferenceError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent, ModelChangedEvent
from bokeh.document.models import DocumentModelManager
from bokeh.model import Model
from bokeh.models.sources import ColumnarDataSource


class _References(dict[ID, Model]):
    """What a client's patch may refer to: a document's models, looked up one at a time, and those it defines.

    Only the latter are entries. Stock copies all models into a dictionary for every patch.
    """

    def __init__(self, models: DocumentModelManager) -> None:
        super().__init__()
        self._models = models

    def get(self, key: ID, default: Any = None) -> Any:
        model = super().get(key)
        return model if model is not None else self._models.get_by_id(key)


def apply_patch(document: Document, content: Any, buffers: Sequence[tuple[str, bytes]], setter: object) -> None:
    """Apply a client's PATCH-DOC as ``Document.apply_json_patch`` does. Changes carry ``setter``: no echo.

    The models that the client defines are known to it. Others that are new stay new, for example those that wait in
    a hold (stock takes them for known). A reference to a model that has left the document drops the patch.
    """
    references = _References(document.models)
    deserializer = Deserializer(setter=setter)  # type: ignore[arg-type]
    deserializer._references = references
    try:
        patch = deserializer.decode(content, [Buffer(name, data) for name, data in buffers])  # type: ignore[arg-type]
    except UnknownReferenceError as error:
        if document.models.seen(error.id):
            return
        raise
    try:
        for event in patch["events"]:
            DocumentPatchedEvent.handle_event(document, event, setter)  # type: ignore[arg-type]
    finally:  # also if a callback raises
        document.models._new_models.difference_update(references.values())


def replace_document(document: Document, content: Any, buffers: Sequence[tuple[str, bytes]]) -> None:
    """Replace all that the document holds by a client's PUSH-DOC."""
    document.replace_with_json(Serialized(content, [Buffer(name, data) for name, data in buffers]))  # type: ignore[arg-type]


def value_event(document: Document, model: Model, attr: str) -> DocumentPatchedEvent:
    """The current value of a property as a change: what a stream or a column patch becomes when it is too late."""
    if isinstance(model, ColumnarDataSource) and attr == "data":
        return ColumnDataChangedEvent(document, model, attr)
    return ModelChangedEvent(document, model, attr, getattr(model, attr))


def changed_property(event: Any) -> tuple[Model, str] | None:
    """Which property of which model an event is about, if it is about one: a value, or columns of it."""
    model, attr = getattr(event, "model", None), getattr(event, "attr", None)
    return (model, attr) if isinstance(model, Model) and isinstance(attr, str) else None


Decode = Callable[[Any], Any]


def decoder_for(document: Document) -> Decode:
    """Turns JSON data into models and values against the document's models; for tests and clients."""
    return Deserializer(list(document.models)).decode
