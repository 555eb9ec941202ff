"""A document's changes and states as JSON bytes and buffers, encoded once for all who get them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bokeh.core.serialization import Buffer
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from .. import seams, wire

Buffers = tuple[tuple[str, bytes], ...]
"""Pairs of a buffer's id and its bytes."""

BUNDLE_ATTRIBUTES = frozenset({"text", "title", "axis_label", "major_label_overrides", "output_backend"})
"""Properties whose value can make a BokehJS bundle necessary (formulas, WebGL) with no new model."""


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """One change, encoded when it was made."""

    json: bytes
    buffers: Buffers
    echo: bool
    """Whether the change came from the connection whose message is being handled: it does not get it back."""
    needs: frozenset[str]
    """BokehJS bundles that a browser must have loaded before it can apply the change."""
    defined: tuple[Model, ...]
    """The models that it defines."""
    redefines: bool
    """Whether it defines a model that clients may still know: it must begin a message of its own."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole document, encoded: the body of a PULL-DOC-REPLY, shared by all who pull it."""

    body: wire.Body
    has_buffers: bool


def encode_event(event: DocumentPatchedEvent, *, echo: bool) -> EncodedEvent:
    """Encode a change as it is now; later changes of the same data leave it as it is."""
    content, buffers, defined = seams.encode_event(event)
    redefines = any(seams.was_known(event.document, model) for model in defined)
    return _encoded(event, content, buffers, defined, echo=echo, redefines=redefines)


def encode_late(document: Document, event: DocumentPatchedEvent, known: set[str]) -> EncodedEvent:
    """Encode a change for a client that knows just the models whose ids are in ``known``."""
    content, buffers, defined = seams.encode_late(document, event, known)
    return _encoded(event, content, buffers, defined, echo=False, redefines=False)


def _encoded(
    event: DocumentPatchedEvent, content: Any, buffers: list[Buffer], defined: list[Model],
    *, echo: bool, redefines: bool,
) -> EncodedEvent:
    return EncodedEvent(
        json=wire.to_json(content),
        buffers=wire.copied(buffers),
        echo=echo,
        needs=_needs(event, defined),
        defined=tuple(defined),
        redefines=redefines,
    )


def encode_document(document: Document, *, inline: bool = False, with_needs: bool = False) -> Snapshot:
    """Encode the whole document.

    ``inline`` puts binary data into the JSON, for those who can't take buffers; ``with_needs`` names the bundles
    that a browser must have loaded, for pages that were made for an earlier state.
    """
    serialized = seams.encode_document(document)
    buffers = () if inline else wire.copied(serialized.buffers)
    needs = sorted(seams.needs_of(document.models)) if with_needs else ()
    doc_json = wire.to_json(serialized.content, inline=inline)
    return Snapshot(wire.pull_doc_body(doc_json, buffers, needs), bool(buffers))


def _needs(event: DocumentPatchedEvent, defined: list[Model]) -> frozenset[str]:
    models: list[Model] = defined
    if (changed := seams.changed_property(event)) is not None and changed[1] in BUNDLE_ATTRIBUTES:
        models = [changed[0], *defined]
    return seams.needs_of(models) if models else frozenset()
