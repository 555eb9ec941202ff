"""Changes of a document as JSON bytes and buffers: encoded once for all subscribers, and joined into PATCH-DOCs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bokeh.core.serialization import Buffer
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from .. import seams, wire
from ..seams.needs import CODE_PROPERTIES
from ..wire.messages import Outgoing
from . import unsendable

Buffers = tuple[tuple[str, bytes], ...]
"""Pairs of a buffer's id and its bytes."""

BUNDLE_ATTRIBUTES = CODE_PROPERTIES | {"text", "title", "axis_label", "major_label_overrides", "output_backend"}
"""Properties whose value can make another bundle necessary (formulas, WebGL, JavaScript) without a new model."""


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """One change, encoded when it was made."""

    json: bytes
    buffers: Buffers
    echo: bool
    """Whether the change came from the connection whose message is handled, which does not get it back."""
    needs: frozenset[str]
    """BokehJS bundles that a browser must have loaded before it can apply the change."""
    defined: tuple[Model, ...]
    """The models that the change defines."""
    redefines: bool
    """Whether the change defines a model that clients may still know, so that it must begin a new message."""


def encode_event(event: DocumentPatchedEvent, *, echo: bool) -> EncodedEvent:
    """Encode a change as it is now; later changes of the same data have no effect on it.

    Raises ``UnsendableError``, as does ``encode_late``.
    """
    try:
        content, buffers, defined = seams.encode_event(event)
        redefines = any(seams.was_known(event.document, model) for model in defined)
        return _encoded(event, content, buffers, defined, echo=echo, redefines=redefines)
    except Exception as error:
        raise unsendable.of_event(error, event) from None


def encode_late(document: Document, event: DocumentPatchedEvent, known: set[str]) -> EncodedEvent:
    """Encode a change for a client that knows only the models whose ids are in ``known``."""
    try:
        content, buffers, defined = seams.encode_late(document, event, known)
        return _encoded(event, content, buffers, defined, echo=False, redefines=False)
    except Exception as error:
        raise unsendable.of_event(error, event) from None


def _encoded(event: DocumentPatchedEvent, content: Any, buffers: list[Buffer], defined: list[Model],
             *, echo: bool, redefines: bool) -> EncodedEvent:
    return EncodedEvent(json=wire.to_json(content), buffers=wire.copied(buffers), echo=echo,
                        needs=_needs(event, defined), defined=tuple(defined), redefines=redefines)


def _needs(event: DocumentPatchedEvent, defined: list[Model]) -> frozenset[str]:
    models: list[Model] = defined
    if (changed := seams.changed_property(event)) is not None and changed[1] in BUNDLE_ATTRIBUTES:
        models = [changed[0], *defined]
    return seams.needs_of(models) if models else frozenset()


def patches(events: Sequence[EncodedEvent]) -> list[Outgoing]:
    """Changes as PATCH-DOC messages: one message, unless models are defined again."""
    return [_patch(group) for group in _groups(events)]


def _patch(events: Sequence[EncodedEvent]) -> Outgoing:
    needs: set[str] = set()
    for event in events:
        needs |= event.needs
    buffers = [buffer for event in events for buffer in event.buffers]
    return wire.patch_doc([event.json for event in events], buffers, sorted(needs))


def _groups(events: Sequence[EncodedEvent]) -> Iterator[Sequence[EncodedEvent]]:
    # BokehJS decodes all events of a message before it applies any. If one event removes a model and a later one
    # defines it again, the model would be known twice during decoding. So the later event begins a new message.
    start = 0
    for index, event in enumerate(events):
        if event.redefines and index > start:
            yield events[start:index]
            start = index
    if start < len(events):
        yield events[start:]
