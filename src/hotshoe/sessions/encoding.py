"""A document's changes and states as JSON bytes and buffers, encoded once for all who get them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson
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
        json=to_json(content),
        buffers=_copied(buffers),
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
    buffers = () if inline else _copied(serialized.buffers)
    needs = sorted(seams.needs_of(document.models)) if with_needs else ()
    doc_json = to_json(serialized.content, inline=inline)
    return Snapshot(wire.pull_doc_body(doc_json, buffers, needs), bool(buffers))


def to_json(content: Any, *, inline: bool = False) -> bytes:
    """JSON bytes of what bokeh's serializer made; buffers as references, or with ``inline`` as base64 text."""
    plain = _with_base64 if inline else _with_reference
    try:
        return orjson.dumps(content, default=plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except orjson.JSONEncodeError:  # what JSON can say and orjson won't: a lone surrogate, a huge integer
        return json.dumps(content, default=plain, separators=(",", ":")).encode()


def _with_reference(obj: object) -> Any:
    return obj.ref if isinstance(obj, Buffer) else _plain(obj)


def _with_base64(obj: object) -> Any:
    return obj.to_base64() if isinstance(obj, Buffer) else _plain(obj)


def _plain(obj: object) -> Any:
    # bokeh's serializer lets numpy's subclasses of float pass, which is all that json.dumps asks for.
    if isinstance(obj, float):
        return float(obj)
    raise TypeError(f"can't be sent to a browser: {type(obj).__name__}")


def _copied(buffers: list[Buffer]) -> Buffers:
    # A copy, since an app may write into its array while the message waits.
    return tuple((buffer.id, bytes(buffer.data)) for buffer in buffers)


def _needs(event: DocumentPatchedEvent, defined: list[Model]) -> frozenset[str]:
    models: list[Model] = defined
    if (changed := seams.changed_property(event)) is not None and changed[1] in BUNDLE_ATTRIBUTES:
        models = [changed[0], *defined]
    return seams.needs_of(models) if models else frozenset()
