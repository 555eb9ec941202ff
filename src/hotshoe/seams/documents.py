"""The beginning and the end of a document, who hears of its changes, and what it does when it holds them back."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent, ModelChangedEvent
from bokeh.events import ConnectionLost
from bokeh.model import Model

from .current import document_context


class ChangeReceiver(Protocol):
    """Gets a document's changes, by the method names that bokeh dispatches to."""

    def _document_patched(self, event: DocumentPatchedEvent) -> None: ...
    def _session_callback_added(self, event: Any) -> None: ...
    def _session_callback_removed(self, event: Any) -> None: ...


def bind_session_context(document: Document, context: Any) -> None:
    """Let ``document.session_context`` be ``context``; the document holds it weakly."""
    document._session_context = weakref.ref(context)


def trigger_connection_lost(document: Document) -> None:
    """Tell the document's ``ConnectionLost`` callbacks."""
    document.callbacks.trigger_event(ConnectionLost())


class HoldingCallbackManager(DocumentCallbackManager):
    """A document's callback manager that encodes nothing twice when a hold ends.

    Under ``hold``, bokeh keeps events and dispatches them at ``unhold``. An event that carries a whole column
    dictionary then shows its *final* content, so a stream or patch held after it would apply twice in the browser.
    """

    def unhold(self) -> None:
        self._held_events = list(_without_repeats(self._held_events or (), _run_invoker))
        super().unhold()


def held_changes(events: Iterable[Any]) -> list[DocumentPatchedEvent]:
    """What to tell clients of events that were held by others than bokeh, with nothing told twice."""
    return list(_without_repeats(events, lambda event: None))


def _without_repeats(events: Iterable[Any], drop: Callable[[Any], None]) -> Iterator[Any]:
    whole: dict[tuple[str, str], Any] = {}
    for event in events:
        key = (event.model.id, event.attr) if hasattr(event, "model") and hasattr(event, "attr") else None
        if isinstance(event, ModelChangedEvent | ColumnDataChangedEvent):
            whole[event.model.id, event.attr] = event
        elif key in whole:
            if isinstance(whole[key], ColumnDataChangedEvent):
                whole[key].cols = None
            drop(event)
            continue
        yield event


def _run_invoker(event: Any) -> None:
    """A held event that is not dispatched still owes the model's own ``on_change`` callbacks."""
    if event.callback_invoker is not None and (document := event.document) is not None:
        with document_context(document):
            event.callback_invoker()


def new_document() -> Document:
    """An empty document, ready for an app."""
    document = Document()
    document.callbacks.__class__ = HoldingCallbackManager
    return document


def dismantle(document: Document, receiver: object) -> None:
    """Take a document apart link by link, so that it is freed by reference counts, with no collection.

    Stock's ``Document.destroy`` does the same and then runs ``gc.collect`` and a search for referrers.
    """
    try:
        for model in list(document.models):
            _dismantle_model(model)
    finally:  # an app's model may have a ``destroy`` of its own
        _dismantle_document(document, receiver)


def _dismantle_document(document: Document, receiver: object) -> None:
    callbacks, models = document.callbacks, document.models
    models._models.clear()
    models._new_models.clear()
    models._seen_model_ids.clear()
    models._models_by_name = type(models._models_by_name)()
    document._roots.clear()
    document._session_context = None
    document._template_variables = {}
    callbacks._change_callbacks.pop(receiver, None)
    for table in (callbacks._change_callbacks, callbacks._event_callbacks, callbacks._js_event_callbacks,
                  callbacks._message_callbacks, callbacks._subscribed_models, callbacks._session_callbacks,
                  callbacks._session_destroyed_callbacks, callbacks._held_events):
        table.clear()
    _forget_modules(document)


def _dismantle_model(model: Model) -> None:
    model.destroy()
    model._callbacks.clear()
    model._event_callbacks.clear()
    model._unstable_default_values.clear()
    model._unstable_themed_values.clear()


def _forget_modules(document: Document) -> None:
    for module in document.modules._modules:
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]
        module.__dict__.clear()
    document.modules._modules.clear()
