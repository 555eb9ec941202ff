"""A document here that is kept like a document there. No I/O; each method runs with the document locked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent

from .. import client_seams, seams
from ..errors import ClientError
from ..wire import Outgoing, copied, patch_doc_request, push_doc_request, to_json
from .locking import DocumentLock
from .stale import Stale

Buffers = client_seams.Buffers


class Mirror:
    """The document, the receiver of its changes, and who is told of them.

    ``changed`` gets the changes made here, after each of which ``throttle`` may wait, without the lock;
    ``added`` and ``removed`` get the document's periodic and other callbacks.
    """

    def __init__(self, lock: DocumentLock, *, changed: Callable[[DocumentPatchedEvent], None],
                 throttle: Callable[[], None], added: Callable[[Any], None], removed: Callable[[Any], None]) -> None:
        self._lock = lock
        self._tell = changed
        self._throttle = throttle
        self._added = added
        self._removed = removed
        self._quiet = False
        self.document: Document | None = None

    def attach(self, document: Document) -> None:
        """Follow this document from now on."""
        if self.document is document:
            return
        self.detach()
        self.document = document
        document.callbacks.on_change_dispatch_to(self)
        for callback in document.session_callbacks:
            self._added(callback)

    def detach(self) -> None:
        """Follow none; what is changed from now on stays here."""
        if self.document is not None:
            client_seams.forget_changes(self.document, self)

    # -- from there

    def apply(self, content: dict[str, Any], buffers: Buffers) -> None:
        """Apply a PATCH-DOC. Raises what it can't do, and what callbacks raise."""
        assert self.document is not None
        seams.apply_patch(self.document, content, buffers, self)

    def replace(self, content: dict[str, Any], buffers: Buffers) -> None:
        """Take over a whole document; of what was here, nothing stays but the document's own callbacks."""
        document = seams.new_document() if self.document is None else self.document
        self._quiet = True
        try:
            seams.replace_document(document, content, buffers)
        except Exception as error:
            raise ClientError(f"can't read the server's document: {error}") from error
        finally:
            self._quiet = False
        client_seams.mark_known(document)
        self.attach(document)

    def is_state_of(self, content: dict[str, Any], stale: Stale) -> bool:
        """Whether a document is ours in another state: our roots, or some of them and no others, are its roots."""
        if self.document is None:
            return False
        ours = {name: kind for name, kind in client_seams.root_types(self.document).items()
                if name not in {root.id for root in stale.added_roots}}
        # A root that is also part of one before it is a reference, with no type.
        theirs = {root["id"]: root.get("name", ours.get(root["id"])) for root in content["roots"]}
        common = ours.items() & theirs.items()
        return len(common) == min(len(ours), len(theirs)) and (bool(common) or not (ours or theirs))

    def renew(self, content: dict[str, Any], buffers: Buffers, stale: Stale) -> tuple[set[str], list[Exception]]:
        """Take over the state of a document that is ours, but for what is ``stale``.

        Models and their callbacks stay. Gives the ids that the other side knows, and what callbacks have raised.
        """
        assert self.document is not None
        known, errors = client_seams.renew(
            self.document, content, buffers, setter=self,
            keep=stale.holds, extra_roots=stale.added_roots, dropped_roots=stale.removed_roots)
        if not stale.holds_title:
            self.document.set_title(content["title"], self)  # type: ignore[arg-type]
        return known, errors

    # -- to there

    def push(self, msgid: str) -> Outgoing:
        """The message that says the whole document."""
        assert self.document is not None
        serialized = seams.encode_document(self.document)
        return push_doc_request(msgid, to_json(serialized.content), copied(serialized.buffers))

    def patch(self, msgid: str, event: DocumentPatchedEvent) -> Outgoing:
        """The message that says a change as it is now."""
        content, buffers, _ = seams.encode_event(event)
        return patch_doc_request(msgid, to_json(content), copied(buffers))

    def late_patch(self, msgid: str, event: DocumentPatchedEvent, known: set[str]) -> Outgoing:
        """The message that says a change to one who knows the models in ``known``, which it extends."""
        assert self.document is not None
        content, buffers, defined = seams.encode_late(self.document, event, known)
        known.update(model.id for model in defined)
        return patch_doc_request(msgid, to_json(content), copied(buffers))

    # -- what bokeh calls

    def _document_patched(self, event: DocumentPatchedEvent) -> None:
        if event.setter is self:  # type: ignore[comparison-overlap]  # bokeh names its own sessions
            return
        with self._lock:
            if self._quiet:
                return
            self._tell(event)
        self._throttle()

    def _session_callback_added(self, event: Any) -> None:
        self._added(event.callback)

    def _session_callback_removed(self, event: Any) -> None:
        self._removed(event.callback)
