"""A document's whole state for those who pull it: encoded once for each state, shared by all who pull that."""

from __future__ import annotations

from bokeh.document import Document

from .encoding import Snapshot, encode_document


class Snapshots:
    """Keeps the last snapshot for as long as the document does not change. Used with the document locked."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._last: Snapshot | None = None
        self._was_taken = False
        self._is_ahead = False

    def changed(self) -> None:
        """The document is no longer as it was: neither the snapshot nor the page says what it is now."""
        self._last = None
        self._is_ahead = True

    def rendered(self) -> None:
        """A page has been made that loads what the document needs as it is now."""
        self._is_ahead = False

    def forget(self) -> None:
        """Drop what is kept."""
        self._last = None

    def take(self) -> Snapshot:
        """The document as it is now.

        After the first time binary data goes inline: BokehJS forgets the buffers when it pulls again (bokeh issue
        15347). If the document has changed since its page was made, the snapshot names the bundles it needs.
        """
        inline = self._was_taken
        # What changes under a hold is not announced, so nothing that was kept can be trusted meanwhile.
        held = self._document.callbacks.hold_value is not None
        snapshot = self._last
        if snapshot is None or held or (inline and snapshot.has_buffers):
            snapshot = encode_document(self._document, inline=inline, with_needs=self._is_ahead)
        self._last = None if held else snapshot
        self._was_taken = True
        return snapshot
