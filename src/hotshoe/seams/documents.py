"""Making and dismantling a document, and its callback manager, which handles holds and ``async`` callbacks.

Bokeh calls ``async def`` functions where it takes a callback, and drops the coroutine, so that nothing happens. Here a
served document awaits it, as that of a next-tick callback: with its lock, unless the function is marked by
``without_document_lock``. For documents that hotshoe does not serve nothing changes.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.document.events import (
    ColumnDataChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
)
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.model import Model
from bokeh.util import callback_manager
from bokeh.util.callback_manager import EventCallbackManager, PropertyCallbackManager

from ..base.errors import UnlockedChangeError
from .current import current_document, document_context


def bind_session_context(document: Document, context: Any) -> None:
    """Make ``context`` the document's ``session_context``; the reference is weak."""
    document._session_context = weakref.ref(context)


class Later:
    """A function that returns an awaitable, once. A coroutine that is not awaited in the end, since its session has
    ended, is closed, without Python's warning.
    """

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self._awaitable: Awaitable[Any] | None = awaitable

    def __call__(self) -> Awaitable[Any] | None:
        awaitable, self._awaitable = self._awaitable, None
        return awaitable

    def __del__(self) -> None:
        if (close := getattr(self._awaitable, "close", None)) is not None:
            close()


AwaitLater = Callable[[Later, bool], None]
"""Runs what returns an awaitable soon, and awaits it; the second argument is whether without the lock."""


class Awaited:
    """A callback whose results are awaited. It equals the callback, so that bokeh finds it for removing it."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[..., Any]) -> None:
        self.callback = callback

    def __call__(self, *arguments: Any) -> None:
        await_result(self.callback, self.callback(*arguments))

    def __eq__(self, other: object) -> bool:
        return bool(self.callback == (other.callback if isinstance(other, Awaited) else other))

    def __hash__(self) -> int:
        return hash(self.callback)


def await_result(callback: Callable[..., Any], result: Any, document: Document | None = None) -> None:
    """Have ``result`` awaited, which ``callback`` has returned, if it is an awaitable, and a document is served."""
    if result is None or asyncio.isfuture(result):  # a task runs by itself, and would hold the lock until it is done
        return
    if inspect.isasyncgen(result):
        result = _refuse(callback)
    elif not inspect.isawaitable(result):
        return
    if document is None:
        document = current_document()
    await_later = awaiter_of(document)
    if await_later is not None:
        await_later(Later(result), bool(getattr(callback, "nolock", False)))


def awaiter_of(document: Document | None) -> AwaitLater | None:
    """The function that awaits what callbacks of ``document`` return, if hotshoe serves it."""
    found: AwaitLater | None = None if document is None else getattr(document.callbacks, "await_later", None)
    return found


async def _refuse(callback: Callable[..., Any]) -> None:
    name = getattr(callback, "__qualname__", repr(callback))
    raise TypeError(f"{name}() is an async generator, which can't be a callback: remove its yield")


def _trigger_event(self: Any, event: Any) -> None:
    document = self.document

    def invoke() -> None:
        for callback in self._event_callbacks.get(event.event_name, ()):
            if event.model is not None and event.model.id == self.id:
                takes_event = callback_manager._nargs(callback) != 0
                await_result(callback, callback(event) if takes_event else callback(), document)

    if document is None:
        invoke()
    else:
        document.callbacks.notify_event(self, event, invoke)


def _trigger(self: Any, attr: str, old: Any, new: Any, hint: Any = None, setter: Any = None) -> None:
    document = self.document

    def invoke() -> None:
        for callback in self._callbacks.get(attr, ()):
            await_result(callback, callback(attr, old, new), document)

    if document is None:
        invoke()
    else:
        document.callbacks.notify_change(self, attr, old, new, hint, setter, invoke)


def await_callbacks() -> None:
    """Have bokeh's models use these functions in place of their own, which drop what callbacks return."""
    EventCallbackManager._trigger_event = _trigger_event  # type: ignore[method-assign]
    PropertyCallbackManager.trigger = _trigger  # type: ignore[method-assign]


class HoldingCallbackManager(DocumentCallbackManager):
    """A document's callback manager whose holds keep back only changes for clients, and encode none of them twice.

    Under ``hold``, bokeh keeps events and dispatches them at ``unhold``. An event with a whole column dictionary then
    has its *final* content, so a stream or patch that was held after it would apply twice in the browser.

    Stock holds added callbacks as well, so a callback that ends the hold never runs. Panel ends its holds in such
    callbacks, on a thread, while another thread may begin its own hold.

    Panel restores a hold that it has found, by setting ``_hold``. If another thread has ended that hold meanwhile, it
    is not restored: nobody would end it again, and the page would never change.

    It also awaits what ``async`` callbacks of the document return.
    """

    await_later: AwaitLater | None = None
    """Set by the session."""
    _policy: Any = None
    _ended_count = 0
    _ended_by = 0
    """The thread that ended the last hold."""
    _found: dict[int, int]
    """By thread: how many holds had ended when it last found one."""

    @property
    def _hold(self) -> Any:
        if self._policy is not None:
            self._found[threading.get_ident()] = self._ended_count
        return self._policy

    @_hold.setter
    def _hold(self, policy: Any) -> None:
        ident = threading.get_ident()
        if policy is None:
            if self._policy is not None:
                self._policy, self._ended_by = None, ident
                self._ended_count += 1
            return
        is_ended = self._policy is None and self._found.get(ident, self._ended_count) != self._ended_count
        self._policy = policy
        if is_ended and self._ended_by != ident:
            self.unhold()  # and send what was held since

    def hold(self, policy: Any = "combine") -> None:
        self._found.pop(threading.get_ident(), None)  # a new one
        super().hold(policy)

    def on_change(self, *callbacks: Any) -> None:
        super().on_change(*callbacks)
        for callback in callbacks:
            self._change_callbacks[callback] = Awaited(callback)

    def on_message(self, msg_type: str, *callbacks: Any) -> None:
        super().on_message(msg_type, *map(Awaited, callbacks))

    def event_callbacks_for_event_name(self, event_name: str) -> tuple[Any, ...]:
        return tuple(map(Awaited, super().event_callbacks_for_event_name(event_name)))

    def trigger_on_change(self, event: Any) -> None:
        if not isinstance(event, SessionCallbackAdded | SessionCallbackRemoved):
            super().trigger_on_change(event)
        elif (document := self._document()) is not None:
            with document_context(document):
                for callback in self.change_callbacks():
                    callback(event)

    def unhold(self) -> None:
        self._held_events = list(_without_repeats(self._held_events or (), _run_invoker))
        super().unhold()


def held_changes(events: Iterable[Any]) -> list[DocumentPatchedEvent]:
    """The events for clients among events that were held outside of bokeh, without repeats."""
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
    """Call the model's ``on_change`` callbacks for a held event that is not dispatched."""
    if event.callback_invoker is not None and (document := event.document) is not None:
        with document_context(document):
            event.callback_invoker()


def _set_on_proxy(proxy: UnlockedDocumentProxy, name: str, value: Any) -> None:
    """``curdoc().title = …`` in an unlocked callback: bokeh sets it on the proxy, and nothing happens."""
    if name != "_doc" and isinstance(proxy._doc.callbacks, HoldingCallbackManager):
        raise UnlockedChangeError
    object.__setattr__(proxy, name, value)


def await_by(document: Document, await_later: AwaitLater) -> None:
    """Have what callbacks of the document return awaited by this function."""
    callbacks: Any = document.callbacks
    callbacks.await_later = await_later


def new_document() -> Document:
    """An empty document, ready for an app."""
    UnlockedDocumentProxy.__setattr__ = _set_on_proxy  # type: ignore[method-assign,assignment]
    document = Document()
    callbacks: Any = document.callbacks
    del callbacks.__dict__["_hold"]
    callbacks._found = {}
    callbacks.__class__ = HoldingCallbackManager
    return document


def dismantle(document: Document, receiver: object) -> None:
    """Cut all references inside a document, so that reference counts free it, without garbage collection.

    Stock's ``Document.destroy`` does the same, and then runs ``gc.collect`` and searches for referrers.
    """
    try:
        for model in list(document.models):
            _dismantle_model(model)
    finally:  # an app's model may have its own ``destroy``, which may fail
        _dismantle_document(document, receiver)


def _dismantle_document(document: Document, receiver: object) -> None:
    callbacks: Any = document.callbacks
    models = document.models
    models._models.clear()
    models._new_models.clear()
    models._seen_model_ids.clear()
    models._models_by_name = type(models._models_by_name)()
    callbacks.await_later = None
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
