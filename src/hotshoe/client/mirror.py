"""A document that is kept equal to a document of a server. No I/O. Each method of ``Mirror`` runs with it locked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from bokeh.document import Document
from bokeh.document.events import (
    DocumentPatchedEvent,
    MessageSentEvent,
    RootAddedEvent,
    RootRemovedEvent,
    TitleChangedEvent,
)
from bokeh.model import Model

from .. import seams
from ..base.errors import ClientError
from ..seams import client
from ..wire import Incoming, Outgoing, copied, patch_doc_request, push_doc_request, to_json
from .websocket import content_of

Buffers = client.Buffers
UNSETTLED_S = 10.0
"""So long after an exchange of whole documents, a thread may tell of a change that it made before."""

OLDEST_BOKEH = 3
"""The oldest major version with documents that can be read."""


class DocumentLock:
    """A reentrant lock that knows whether the calling thread has it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def held(self) -> bool:
        """Whether the calling thread has the lock."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()


class Stale:
    """Changes that the other side does not have yet. It stays small: of each value, only the last one counts."""

    def __init__(self, events: Iterable[DocumentPatchedEvent] = ()) -> None:
        self._values: dict[tuple[str, str], tuple[Model, str]] = {}
        self._roots: dict[str, RootAddedEvent | RootRemovedEvent] = {}
        self._title: TitleChangedEvent | None = None
        for event in events:
            self.note(event)

    def note(self, event: DocumentPatchedEvent) -> None:
        """Remember a change. Messages, such as a click, are not remembered: later they mean nothing."""
        changed = seams.changed_property(event)
        if changed is not None:
            self._values[changed[0].id, changed[1]] = changed
            return
        match event:
            case RootAddedEvent() | RootRemovedEvent():
                self._roots.pop(event.model.id, None)
                self._roots[event.model.id] = event
            case TitleChangedEvent():
                self._title = event
            case MessageSentEvent():
                pass

    def hold(self, model: Model, attr: str) -> None:
        """Remember that the value here is newer than that of the other side."""
        self._values[model.id, attr] = (model, attr)

    def update(self, later: Stale) -> None:
        """Add later changes."""
        self._values |= later._values
        self._roots |= later._roots
        self._title = later._title or self._title

    def __len__(self) -> int:
        return len(self._values) + len(self._roots) + (self._title is not None)

    def holds(self, model: Model, attr: str) -> bool:
        """Whether the value here is newer than that of the other side."""
        return (model.id, attr) in self._values

    @property
    def holds_title(self) -> bool:
        """Whether the title here is newer than that of the other side."""
        return self._title is not None

    @property
    def added_roots(self) -> list[Model]:
        """Roots that the other side does not know yet."""
        return [event.model for event in self._roots.values() if isinstance(event, RootAddedEvent)]

    @property
    def removed_roots(self) -> list[Model]:
        """Roots that the other side still has."""
        return [event.model for event in self._roots.values() if isinstance(event, RootRemovedEvent)]

    def events(self, document: Document, known: set[str]) -> Iterator[DocumentPatchedEvent]:
        """The changes as they are now, for a side that knows the models in ``known``, which may grow meanwhile."""
        if self._title is not None:
            yield self._title
        yield from self._roots.values()
        for model, attr in self._values.values():
            if model.document is document and model.id in known:  # else it is sent as a whole, or gone
                yield seams.value_event(document, model, attr)


class Unsettled:
    """Which changes may have been made before the last exchange of whole documents, although one hears of them later.

    bokeh makes a change first and tells of it then, and a thread need not have the lock for the former. So the exchange
    may have sent the change already, or a half of it. This is possible for the first change of each property that each
    other thread tells of; each of them is sent as the whole value, which is right in any case.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end_s: float | None = None
        self._thread: int | None = None
        self._told: set[tuple[int, str, str]] = set()

    def begin(self) -> None:
        """Note an exchange of whole documents on this thread."""
        self._end_s = self._clock() + UNSETTLED_S
        self._thread = threading.get_ident()
        self._told.clear()

    def whole(self, event: DocumentPatchedEvent) -> DocumentPatchedEvent:
        """The change as it has to be sent."""
        thread = threading.get_ident()
        if self._end_s is None or thread == self._thread or (changed := seams.changed_property(event)) is None:
            return event
        if self._clock() > self._end_s:
            self._end_s = None
            self._told.clear()
            return event
        model, attr = changed
        if (thread, model.id, attr) in self._told:
            return event
        self._told.add((thread, model.id, attr))
        return seams.value_event(event.document, model, attr)


class Mirror:
    """The document, and the receiver of its changes.

    ``changed`` is called with each change made here. Then ``throttle``, which may wait, is called without the lock.
    ``added`` and ``removed`` are called with the document's periodic and other callbacks.
    """

    def __init__(self, lock: DocumentLock, *, changed: Callable[[DocumentPatchedEvent], None],
                 throttle: Callable[[], None], added: Callable[[Any], None], removed: Callable[[Any], None]) -> None:
        self._lock = lock
        self._tell = changed
        self._throttle = throttle
        self._added = added
        self._removed = removed
        self._quiet = False
        self._unsettled = Unsettled()
        self.document: Document | None = None

    def attach(self, document: Document) -> None:
        """Follow this document from now on."""
        if self.document is document:
            self._unsettled.begin()
            return
        self.detach()
        self.document = document
        document.callbacks.on_change_dispatch_to(self)
        for callback in document.session_callbacks:
            self._added(callback)

    def detach(self) -> None:
        """Follow no document: changes stay here from now on."""
        if self.document is not None:
            client.forget_changes(self.document, self)

    def apply(self, content: dict[str, Any], buffers: Buffers) -> None:
        """Apply a PATCH-DOC. Raises any error of it, and any error of callbacks."""
        assert self.document is not None
        seams.apply_patch(self.document, content, buffers, self, trusted=True)

    def replace(self, content: dict[str, Any], buffers: Buffers) -> None:
        """Take over a whole document. Only the callbacks of the document itself stay."""
        document = seams.new_document() if self.document is None else self.document
        self._quiet = True
        try:
            seams.replace_document(document, content, buffers, trusted=True)
        except Exception as error:
            raise ClientError(f"can't read the server's document: {error}") from error
        finally:
            self._quiet = False
        client.mark_known(document)
        self.attach(document)

    def is_state_of(self, content: dict[str, Any], stale: Stale) -> bool:
        """Whether a document is another state of ours: its roots are ours, or some of ours, or ours and others."""
        if self.document is None:
            return False
        ours = {name: kind for name, kind in client.root_types(self.document).items()
                if name not in {root.id for root in stale.added_roots}}
        # A root that is also part of an earlier root is a reference, without a type.
        theirs = {root["id"]: root.get("name", ours.get(root["id"])) for root in content["roots"]}
        common = ours.items() & theirs.items()
        return len(common) == min(len(ours), len(theirs)) and (bool(common) or not (ours or theirs))

    def renew(self, content: dict[str, Any], buffers: Buffers, stale: Stale) -> tuple[set[str], list[Exception]]:
        """Take over another state of our document, except for ``stale`` values. Models and their callbacks stay.

        Returns the ids of the models that the other side knows, and the errors of callbacks.
        """
        assert self.document is not None
        known, errors = client.renew(
            self.document, content, buffers, setter=self,
            keep=stale.holds, extra_roots=stale.added_roots, dropped_roots=stale.removed_roots)
        if not stale.holds_title:
            self.document.set_title(content["title"], self)  # type: ignore[arg-type]
        self._unsettled.begin()
        return known, errors

    def push(self, msgid: str) -> Outgoing:
        """The message with the whole document."""
        assert self.document is not None
        serialized = seams.encode_document(self.document)
        return push_doc_request(msgid, to_json(serialized.content), copied(serialized.buffers))

    def patch(self, msgid: str, event: DocumentPatchedEvent) -> Outgoing:
        """The message with a change, as it is now."""
        content, buffers, _ = seams.encode_event(event)
        return patch_doc_request(msgid, to_json(content), copied(buffers))

    def late_patch(self, msgid: str, event: DocumentPatchedEvent, known: set[str]) -> Outgoing:
        """The message with a change, for a side that knows the models in ``known``. New models are added to that."""
        assert self.document is not None
        content, buffers, defined = seams.encode_late(self.document, event, known)
        known.update(model.id for model in defined)
        return patch_doc_request(msgid, to_json(content), copied(buffers))

    def _document_patched(self, event: DocumentPatchedEvent) -> None:
        if event.setter is self:  # type: ignore[comparison-overlap]  # bokeh names its own sessions
            return
        with self._lock:
            if self._quiet:
                return
            self._tell(self._unsettled.whole(event))
        self._throttle()

    def _session_callback_added(self, event: Any) -> None:
        self._added(event.callback)

    def _session_callback_removed(self, event: Any) -> None:
        self._removed(event.callback)


def document_of(message: Incoming) -> dict[str, Any]:
    """The document in a PULL-DOC-REPLY. Raises ``ClientError`` if there is none, or if its version is too old."""
    content: Any = content_of(message).get("doc")
    is_document = isinstance(content, dict) and isinstance(content.get("roots"), list)
    if message.msgtype != "PULL-DOC-REPLY" or not is_document:
        raise ClientError("the server did not answer with a document; is it a Bokeh server?")
    document: dict[str, Any] = content
    check_version(document.get("version"))
    return document


def check_version(version: Any) -> None:
    """Raise ``ClientError`` if this version of bokeh on the server is too old."""
    major = str(version).partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_BOKEH:
        raise ClientError(f"the server's bokeh {version!s:.40} is too old: {OLDEST_BOKEH}.0 or later is needed")
