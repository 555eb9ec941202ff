"""Documents and their changes as JSON data, against what clients know of their models."""

from __future__ import annotations

import itertools
from typing import Any

from bokeh.core.serialization import Buffer, Serialized, Serializer
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

_buffer_ids = itertools.count(1)


class PatchSerializer(Serializer):
    """Encodes one event against what clients know, without copying that set.

    Stock builds a set and a dictionary of all models for every event. Here a model is known if the document
    holds it and it is not among the document's new ones, which is the same set, asked one model at a time.
    """

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._known = document.models
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
        # Stock asks two settings for each new id, which takes longer than all else here.
        buffer = Buffer(ID(f"b{next(_buffer_ids)}"), obj)
        self._buffers.append(buffer)
        return {"type": "bytes", "data": buffer}

    def _is_known(self, model: Model) -> bool:
        models = self._known
        return models.get_by_id(model.id) is model and model not in models._new_models


class LateSerializer(PatchSerializer):
    """Encodes one event for a client that knows the models in ``known``."""

    def __init__(self, document: Document, known: set[str]) -> None:
        super().__init__(document)
        self._known_ids = known

    def _is_known(self, model: Model) -> bool:
        return model.id in self._known_ids


def encode_event(event: DocumentPatchedEvent) -> tuple[Any, list[Buffer], list[Model]]:
    """An event as JSON data (with ``Buffer`` where binary data goes), its buffers, and the models it defines.

    The defined models count as known from now on.
    """
    models = event.document.models
    serializer = PatchSerializer(event.document)
    content = serializer.encode(event)
    if serializer.defined:
        models.flush_synced(lambda model: not serializer.has_ref(model))
    return content, serializer._buffers, serializer.defined


def encode_late(
    document: Document, event: DocumentPatchedEvent, known: set[str]
) -> tuple[Any, list[Buffer], list[Model]]:
    """An event as ``encode_event`` has it, against what one client knows, which is more or less than others know.

    What it is told of new models counts as known to all: those who keep up were told when the models came.
    """
    serializer = LateSerializer(document, known)
    content = serializer.encode(event)
    document.models.flush_synced(lambda model: not serializer.has_ref(model))
    return content, serializer._buffers, serializer.defined


def known_ids(document: Document) -> set[str]:
    """The ids of the models that clients know: not of those that are still to be told, after a hold, say."""
    return {model.id for model in document.models if model not in document.models._new_models}


def encode_document(document: Document) -> Serialized[Any]:
    """The whole document as JSON data; all its models are known to clients from now on."""
    return document.to_json()


def was_known(document: Document, model: Model) -> bool:
    """Whether the model was once in the document and left it: a client may still have its id in its tables."""
    return document.models.seen(model.id)
