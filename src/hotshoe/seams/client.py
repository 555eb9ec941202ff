"""Private names of bokeh that only the client needs: it updates a document in place to another's state."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bokeh.util.serialization as bokeh_ids
from bokeh.core.serialization import Buffer, Deserializer
from bokeh.document import Document
from bokeh.model import Model

Buffers = Sequence[tuple[str, bytes]]
"""Pairs of a buffer's id and its bytes."""

Keep = Callable[[Model, str], bool]
"""Whether a property keeps its present value."""


class _InPlaceDecoder(Deserializer):
    """Decodes a document without making its existing models again: it collects their new values."""

    def __init__(self, document: Document, setter: object) -> None:
        super().__init__(setter=setter)  # type: ignore[arg-type]
        self._document = document
        self.states: list[tuple[Model, Mapping[str, Any]]] = []

    def _decode_object_ref(self, obj: Any) -> Any:
        model = self._existing(obj["id"])
        if model is None or model.__qualified_model__ != obj["name"]:
            return super()._decode_object_ref(obj)
        self._references[obj["id"]] = model  # before its values, which may refer to it
        self.states.append((model, {name: self._decode(value) for name, value in obj.get("attributes", {}).items()}))
        return model

    def _existing(self, model_id: Any) -> Model | None:
        config: Model = self._document.config
        return config if config.id == model_id else self._document.models.get_by_id(model_id)


FIRST_OWN_ID = 10**9


def claim_ids() -> None:
    """Let the ids of new models start at a random number.

    bokeh counts from 1001 in each process, so models of this process and of the server would have the same ids.
    """
    with bokeh_ids._simple_id_lock:
        if bokeh_ids._simple_id < FIRST_OWN_ID:
            bokeh_ids._simple_id = FIRST_OWN_ID + secrets.randbelow(10**12)


def root_types(document: Document) -> dict[str, str]:
    """The type of each root by its id."""
    return {root.id: root.__qualified_model__ for root in document.roots}


def mark_known(document: Document) -> None:
    """Mark all models of the document as known to the other side."""
    document.models.flush_synced()


def forget_changes(document: Document, receiver: object) -> None:
    """Stop telling ``receiver`` of the document's changes."""
    document.callbacks._change_callbacks.pop(receiver, None)


def renew(document: Document, content: Any, buffers: Buffers, *, setter: object, keep: Keep,
          extra_roots: Sequence[Model] = (), dropped_roots: Sequence[Model] = ()) -> tuple[set[str], list[Exception]]:
    """Update a document to the state in ``content`` (of a PULL-DOC-REPLY); its models and callbacks stay.

    ``extra_roots`` stay although the content lacks them, ``dropped_roots`` are not added. Returns the ids of the
    content's models, and the exceptions of callbacks.
    """
    decoder = _InPlaceDecoder(document, setter)
    state = decoder.decode({**content, "defs": []}, [Buffer(name, data) for name, data in buffers])  # type: ignore[arg-type]
    errors: list[Exception] = []
    dropped = {root.id for root in dropped_roots}
    roots = [root for root in state["roots"] if root.id not in dropped]
    _run(errors, lambda: _set_roots(document, [*roots, *(root for root in extra_roots if root not in roots)], setter))
    for model, values in decoder.states:
        _set_values(model, values, setter, keep, errors)
    known: set[str] = set(decoder._references)
    document.models.flush_synced(lambda model: model.id not in known)
    return known, errors


def _set_roots(document: Document, roots: list[Model], setter: Any) -> None:
    same = 0
    for ours, theirs in zip(document.roots, roots, strict=False):
        if ours is not theirs:
            break
        same += 1
    with document.models.freeze():
        for root in document.roots[same:]:
            document.remove_root(root, setter)
        for root in roots[same:]:
            document.add_root(root, setter)


def _set_values(model: Model, values: Mapping[str, Any], setter: Any, keep: Keep, errors: list[Exception]) -> None:
    changed_here = model.properties_with_values(include_defaults=False, include_undefined=False)
    defaults = {name: model.lookup(name).class_default(type(model)) for name in changed_here if name not in values}
    for name, value in {**defaults, **values}.items():
        if not keep(model, name):
            _run(errors, lambda name=name, value=value: model.set_from_json(name, value, setter=setter))  # type: ignore[misc]


def _run(errors: list[Exception], step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:
        errors.append(error)
