"""Documents and changes as JSON data, in both directions: a client's changes are applied, an app's are encoded.

Models that clients know already become references.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from bokeh.core.serialization import (
    Buffer,
    DeserializationError,
    Deserializer,
    Serialized,
    Serializer,
    UnknownReferenceError,
)
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.config import DocumentConfig
from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent, ModelChangedEvent
from bokeh.document.models import DocumentModelManager
from bokeh.model import Model
from bokeh.models.sources import ColumnarDataSource

from .decoding import Decoder

_buffer_ids = itertools.count(1)

_ABSENT = object()
_SPARE_FRAMES = 100
"""A pull may begin deeper in the stack than the check before it."""


class _References(dict[ID, Model]):
    """The models that a client's patch may refer to: those of the document, and those that the patch defines.

    Only the latter are entries; the document's are looked up one at a time. Stock copies all models for every patch.
    """

    def __init__(self, models: DocumentModelManager) -> None:
        super().__init__()
        self._models = models

    def get(self, key: ID, default: Any = None) -> Any:
        model = super().get(key)
        return model if model is not None else self._models.get_by_id(key)


def apply_patch(document: Document, content: Any, buffers: Sequence[tuple[str, bytes]], setter: object,
                *, trusted: bool = False) -> None:
    """Apply a client's PATCH-DOC as ``Document.apply_json_patch`` does. Changes have ``setter``, to avoid an echo.

    Clients know the models that the patch defines. Other new models stay new, for instance those of events under a hold
    (stock marks them as known). A patch that refers to a model that has left the document is dropped.

    From a ``trusted`` sender, such as a client's own server, anything is taken; from others, only within ``LIMITS``.
    """
    references = _References(document.models)
    decoder = Deserializer(setter=setter) if trusted else Decoder(setter=setter)  # type: ignore[arg-type]
    decoder._references = references
    try:
        patch = decoder.decode(content, [Buffer(name, data) for name, data in buffers])  # type: ignore[arg-type]
    except UnknownReferenceError as error:
        if document.models.seen(error.id):
            return
        raise
    if isinstance(decoder, Decoder):
        for event in patch["events"]:
            _check_title(event)
        _check_can_be_sent(references.values())
        if decoder.models > len(patch["events"]):  # there are more than the one that each event changes
            _check_nesting(document, patch["events"])
    try:
        for event in patch["events"]:
            DocumentPatchedEvent.handle_event(document, event, setter)  # type: ignore[arg-type]
    finally:  # also if a callback fails
        document.models._new_models.difference_update(references.values())


def replace_document(document: Document, content: Any, buffers: Sequence[tuple[str, bytes]],
                     *, trusted: bool = False) -> None:
    """Replace the whole content of the document by a client's PUSH-DOC, as ``Document.replace_with_json`` does."""
    if trusted:
        document.replace_with_json(Serialized(content, [Buffer(name, data) for name, data in buffers]))  # type: ignore[arg-type]
        return
    content["defs"] = []  # bokeh can't decode them
    decoder = Decoder()
    pushed = decoder.decode(content, [Buffer(name, data) for name, data in buffers])  # type: ignore[arg-type]
    if not isinstance(pushed["config"], DocumentConfig):
        raise DeserializationError("the config of a document is not a DocumentConfig")
    _check_title(pushed)
    _check_can_be_sent(decoder._references.values())
    replacement = Document()
    replacement._config = pushed["config"]
    for root in pushed["roots"]:
        replacement.add_root(root)
    replacement.title = pushed["title"]
    replacement._destructively_move(document)


def _check_title(pushed: Any) -> None:
    if not isinstance(pushed.get("title", ""), str):
        raise DeserializationError("a title is not a text")


def _check_can_be_sent(models: Collection[Model]) -> None:
    """Raise if new models can't be encoded, for instance because one lacks a required value, or by their nesting."""
    if models:
        PatchSerializer(lambda model: False).encode(list(models)[::-1])  # what contains others comes first


def _check_nesting(document: Document, events: Sequence[Any]) -> None:
    """Raise if events nest models so deeply, perhaps one message after the other, that the document can't be encoded.

    The new values are in their places only while this is tried.
    """
    before: list[tuple[dict[str, Any], str, Any]] = []
    roots = list(document.roots)
    for event in events:
        model, attr = event.get("model"), event.get("attr")
        if event.get("kind") == "RootAdded":
            roots.append(model)
        elif isinstance(model, Model) and attr in model.properties():
            values = model._property_values
            before.append((values, attr, values.get(attr, _ABSENT)))
            values[attr] = event.get("new", event.get("data"))
    try:
        with suppress(ValueError):  # the app itself has made something that can't be encoded
            _deeper(_SPARE_FRAMES, lambda: PatchSerializer(lambda model: False).encode(roots))
    except RecursionError as error:
        raise DeserializationError("models are nested too deeply") from error
    finally:
        for values, attr, value in reversed(before):
            if value is _ABSENT:
                del values[attr]
            else:
                values[attr] = value


def _deeper(frames: int, function: Callable[[], object]) -> None:
    if frames:
        _deeper(frames - 1, function)
    else:
        function()


def value_event(document: Document, model: Model, attr: str) -> DocumentPatchedEvent:
    """The current value of a property as a change; it replaces a stream or column patch that comes too late."""
    if isinstance(model, ColumnarDataSource) and attr == "data":
        return ColumnDataChangedEvent(document, model, attr)
    return ModelChangedEvent(document, model, attr, getattr(model, attr))


def changed_property(event: Any) -> tuple[Model, str] | None:
    """The model and property that an event changes, wholly or in columns; ``None`` for other events."""
    model, attr = getattr(event, "model", None), getattr(event, "attr", None)
    return (model, attr) if isinstance(model, Model) and isinstance(attr, str) else None


class PatchSerializer(Serializer):
    """Encodes one event; models that clients know become references, the others are defined.

    Stock builds a set and a dictionary of all models for every event; here each model is looked up when it is needed.
    """

    def __init__(self, is_known: Callable[[Model], bool]) -> None:
        super().__init__()
        self._is_known = is_known
        self.defined: list[Model] = []

    def get_ref(self, obj: Any) -> Any:
        ref = self._references.get(id(obj))
        if ref is None and isinstance(obj, Model) and self._is_known(obj):
            return obj.ref
        return ref

    def has_ref(self, obj: Any) -> bool:
        return self.get_ref(obj) is not None

    def add_ref(self, obj: Any, ref: Any) -> None:
        super().add_ref(obj, ref)
        if isinstance(obj, Model):
            self.defined.append(obj)

    def _encode_bytes(self, obj: Any) -> Any:
        # Stock reads two settings for each new id, which takes longer than everything else here.
        buffer = Buffer(ID(f"b{next(_buffer_ids)}"), obj)
        self._buffers.append(buffer)
        return {"type": "bytes", "data": buffer}


def encode_event(event: DocumentPatchedEvent) -> tuple[Any, list[Buffer], list[Model]]:
    """An event as JSON data (with ``Buffer`` objects for binary data), its buffers, and the models that it defines.

    Clients know the models of the document, except new ones. The defined models count as known from now on.
    """
    models = event.document.models
    serializer = PatchSerializer(
        lambda model: models.get_by_id(model.id) is model and model not in models._new_models)
    content = serializer.encode(event)
    if serializer.defined:
        models.flush_synced(lambda model: not serializer.has_ref(model))
    return content, serializer._buffers, serializer.defined


def encode_late(document: Document, event: DocumentPatchedEvent, known: set[str],
                ) -> tuple[Any, list[Buffer], list[Model]]:
    """The same for one slow client that knows the models in ``known``, which are more or less than others know.

    New models in it count as known to all clients: the others got them when they were new.
    """
    serializer = PatchSerializer(lambda model: model.id in known)
    content = serializer.encode(event)
    document.models.flush_synced(lambda model: not serializer.has_ref(model))
    return content, serializer._buffers, serializer.defined


def known_ids(document: Document) -> set[str]:
    """The ids of the models that clients know; without new models, for instance those under a hold."""
    return {model.id for model in document.models if model not in document.models._new_models}


def encode_document(document: Document) -> Serialized[Any]:
    """The whole document as JSON data; all its models count as known from now on."""
    return document.to_json()


def was_known(document: Document, model: Model) -> bool:
    """Whether the model was in the document before: a client may still have its id."""
    return document.models.seen(model.id)
