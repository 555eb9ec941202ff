"""A document's whole state, encoded once for each state and shared by all clients that pull it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bokeh.document import Document

from .. import seams, wire
from ..base.threads import post
from . import unsendable

KEEP_S = 2.0
"""How long a snapshot is kept after the last pull. Longer would cost memory for few clients."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole document, encoded: the body of a PULL-DOC-REPLY, shared by all who pull it."""

    body: wire.Body
    has_buffers: bool


def encode_document(document: Document, *, inline: bool = False, with_needs: bool = False) -> Snapshot:
    """Encode the whole document.

    ``inline`` puts binary data into the JSON, for clients that can't take buffers. ``with_needs`` adds the names of the
    bundles that a browser must have loaded, for pages that were made for an earlier state. Raises ``UnsendableError``.
    """
    try:
        serialized = seams.encode_document(document)
        buffers = () if inline else wire.copied(serialized.buffers)
        doc_json = wire.to_json(serialized.content, inline=inline)
    except Exception as error:
        raise unsendable.of_document(error, document) from None
    needs = sorted(seams.needs_of_document(document)) if with_needs else ()
    return Snapshot(wire.pull_doc_body(doc_json, buffers, needs), bool(buffers))


class _Kept:
    """Keeps a snapshot until no client has taken it for a while. Its timer must not keep the document alive."""

    __slots__ = ("snapshot", "taken_s")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot: Snapshot | None = snapshot
        self.taken_s = time.monotonic()

    def expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop the snapshot if it is time, else look again later. On the loop."""
        left_s = self.taken_s + KEEP_S - time.monotonic()
        if left_s <= 0:
            self.snapshot = None
        elif self.snapshot is not None:
            loop.call_later(left_s, self.expire, loop)


class Snapshots:
    """Keeps the last snapshot while it is pulled and the document does not change. Used with the document locked."""

    def __init__(self, document: Document, loop: asyncio.AbstractEventLoop) -> None:
        self._document = document
        self._loop = loop
        self._kept: _Kept | None = None
        self._was_taken = False
        self._is_ahead = False

    def changed(self) -> None:
        """Note that the document has changed: the snapshot and the page are of an earlier state."""
        self.forget()
        self._is_ahead = True

    def rendered(self) -> None:
        """Note that a page is made which loads all that the document needs now."""
        self._is_ahead = False

    def forget(self) -> None:
        """Drop the snapshot."""
        if self._kept is not None:
            self._kept.snapshot = None  # its timer keeps the object alive
            self._kept = None

    def take(self) -> Snapshot:
        """The document as it is now.

        After the first time binary data goes inline: BokehJS forgets the buffers when it pulls again (bokeh issue
        15347). If the document has changed since its page was made, the snapshot names the bundles it needs.
        """
        inline = self._was_taken
        # Changes under a hold are not announced, so a kept snapshot can't be trusted meanwhile.
        held = self._document.callbacks.hold_value is not None
        kept = self._kept
        snapshot = kept.snapshot if kept is not None else None
        if kept is not None and snapshot is not None and not held and not (inline and snapshot.has_buffers):
            kept.taken_s = time.monotonic()
            return snapshot
        self.forget()
        snapshot = encode_document(self._document, inline=inline, with_needs=self._is_ahead)
        self._was_taken = True
        if not held:
            self._kept = _Kept(snapshot)
            post(self._loop, self._kept.expire, self._loop)
        return snapshot
