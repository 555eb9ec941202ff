"""A document's whole state for those who pull it: encoded once for each state, shared by all who pull that."""

from __future__ import annotations

import asyncio
import time

from bokeh.document import Document

from .encoding import Snapshot, encode_document
from .threads import post

KEEP_S = 2.0
"""Whoever pulls so soon after another gets what that one got. To keep it for longer is memory for nobody."""


class _Kept:
    """A snapshot, until nobody has taken it for a while. Its timer must not keep the document."""

    __slots__ = ("snapshot", "taken_s")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot: Snapshot | None = snapshot
        self.taken_s = time.monotonic()

    def expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop it if it is time, else look again. On the loop."""
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
        """The document is no longer as it was: neither the snapshot nor the page says what it is now."""
        self._drop()
        self._is_ahead = True

    def rendered(self) -> None:
        """A page has been made that loads what the document needs as it is now."""
        self._is_ahead = False

    def forget(self) -> None:
        """Drop what is kept."""
        self._drop()

    def take(self) -> Snapshot:
        """The document as it is now.

        After the first time binary data goes inline: BokehJS forgets the buffers when it pulls again (bokeh issue
        15347). If the document has changed since its page was made, the snapshot names the bundles it needs.
        """
        inline = self._was_taken
        # What changes under a hold is not announced, so nothing that was kept can be trusted meanwhile.
        held = self._document.callbacks.hold_value is not None
        kept = self._kept
        snapshot = kept.snapshot if kept is not None else None
        self._was_taken = True
        if kept is not None and snapshot is not None and not held and not (inline and snapshot.has_buffers):
            kept.taken_s = time.monotonic()
            return snapshot
        self._drop()
        snapshot = encode_document(self._document, inline=inline, with_needs=self._is_ahead)
        if not held:
            self._kept = _Kept(snapshot)
            post(self._loop, self._kept.expire, self._loop)
        return snapshot

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.snapshot = None  # its timer lives on
            self._kept = None
