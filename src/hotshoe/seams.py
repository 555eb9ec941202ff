"""Every private bokeh name, every patch of bokeh, and every difference between bokeh versions.

Nothing else in hotshoe names an underscore of bokeh; when bokeh moves, this is the file that moves with it.
Here is tolerated, though not asked for, that a `Document` builds its callbacks of classes in `bokeh.server.callbacks`.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import sys
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, cast

import bokeh
import bokeh.io
import bokeh.io.doc as curdoc_module
import bokeh.io.state as io_state
from bokeh.core.has_props import _default_resolver
from bokeh.core.serialization import Buffer, Deserializer, Serialized, Serializer, UnknownReferenceError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent, ModelChangedEvent
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.document.models import DocumentModelManager
from bokeh.events import ConnectionLost
from bokeh.io.state import curstate
from bokeh.model import Model
from bokeh.models.sources import ColumnarDataSource
from bokeh.util import compiler

from .errors import CompileError
from .needs import CustomSource, is_custom, source_of
from .needs import needs_of as needs_of

BOKEH_VERSION: str = bokeh.__version__

DocumentLike = Document | UnlockedDocumentProxy
"""What ``curdoc()`` may be: the document, or the proxy an unlocked callback sees."""


# -- the current document -------------------------------------------------------------------------------------

_Stack = tuple["weakref.ref[Any]", ...]


class _ContextStack:
    """The stack of current documents that bokeh before 3.10 keeps in a plain global list, per context instead.

    It answers to what ``curdoc`` and ``patch_curdoc`` do with the list: ``len``, ``[-1]``, ``append``, ``pop``.
    """

    def __init__(self) -> None:
        self.variable: ContextVar[_Stack] = ContextVar("hotshoe_curdoc", default=())

    def __len__(self) -> int:
        return len(self.variable.get())

    def __getitem__(self, index: int) -> weakref.ref[Any]:
        return self.variable.get()[index]

    def append(self, reference: weakref.ref[Any]) -> None:
        self.variable.set((*self.variable.get(), reference))

    def pop(self) -> None:
        self.variable.set(self.variable.get()[:-1])


def _curdoc_variable() -> ContextVar[_Stack]:
    stack: Any = curdoc_module._PATCHED_CURDOCS
    if isinstance(stack, ContextVar):
        variable: ContextVar[_Stack] = stack
        return variable
    per_context = _ContextStack()
    per_context.variable.set(tuple(stack))  # it is not empty when an app of another server imports a part of hotshoe
    curdoc_module._PATCHED_CURDOCS = per_context  # type: ignore[assignment]
    return per_context.variable


_CURDOC = _curdoc_variable()


def set_current_document(document: DocumentLike) -> None:
    """Make ``document`` the only current document of this context. It is held weakly, as bokeh does."""
    _CURDOC.set((weakref.ref(document),))


@contextmanager
def document_context(document: DocumentLike) -> Iterator[None]:
    """``document`` is what ``curdoc()`` gives inside, also after an exception."""
    token = _CURDOC.set((weakref.ref(document),))
    try:
        yield
    finally:
        _CURDOC.reset(token)


def unlocked_proxy(document: Document) -> UnlockedDocumentProxy:
    """What ``curdoc()`` is in a callback that runs without the lock; the caller keeps it alive."""
    return UnlockedDocumentProxy(document)


# -- documents and sessions -----------------------------------------------------------------------------------


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


# -- changes as JSON data -------------------------------------------------------------------------------------


_buffer_ids = itertools.count(1)


class PatchSerializer(Serializer):
    """Encodes one event against what clients know, without copying that set.

    Stock builds a set and a dictionary of all models for every event. Here a model is known if the document
    holds it and it is not among the document's new ones, which is the same set, asked one model at a time.
    """

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._known = document.models
        self.defined: list[Model] = []

    def get_ref(self, obj: Any) -> Any:
        ref = self._references.get(id(obj))
        if ref is None and isinstance(obj, Model) and self._is_known(obj):
            return obj.ref
        return ref

    def has_ref(self, obj: Any) -> bool:
        return self.get_ref(obj) is not None

    def add_ref(self, obj: Any, ref: Any) -> None:
        super().add_ref(obj, ref)
        if isinstance(obj, Model):
            self.defined.append(obj)

    def _encode_bytes(self, obj: Any) -> Any:
        # Stock asks two settings for each new id, which takes longer than all else here.
        buffer = Buffer(ID(f"b{next(_buffer_ids)}"), obj)
        self._buffers.append(buffer)
        return {"type": "bytes", "data": buffer}

    def _is_known(self, model: Model) -> bool:
        models = self._known
        return models.get_by_id(model.id) is model and model not in models._new_models


class LateSerializer(PatchSerializer):
    """Encodes one event for a client that knows the models in ``known``."""

    def __init__(self, document: Document, known: set[str]) -> None:
        super().__init__(document)
        self._known_ids = known

    def _is_known(self, model: Model) -> bool:
        return model.id in self._known_ids


def encode_event(event: DocumentPatchedEvent) -> tuple[Any, list[Buffer], list[Model]]:
    """An event as JSON data (with ``Buffer`` where binary data goes), its buffers, and the models it defines.

    The defined models count as known from now on.
    """
    models = event.document.models
    serializer = PatchSerializer(event.document)
    content = serializer.encode(event)
    if serializer.defined:
        models.flush_synced(lambda model: not serializer.has_ref(model))
    return content, serializer._buffers, serializer.defined


def encode_late(
    document: Document, event: DocumentPatchedEvent, known: set[str]
) -> tuple[Any, list[Buffer], list[Model]]:
    """An event as ``encode_event`` has it, against what one client knows, which is more or less than others know.

    What it is told of new models counts as known to all: those who keep up were told when the models came.
    """
    serializer = LateSerializer(document, known)
    content = serializer.encode(event)
    document.models.flush_synced(lambda model: not serializer.has_ref(model))
    return content, serializer._buffers, serializer.defined


def known_ids(document: Document) -> set[str]:
    """The ids of the models that clients know: not of those that are still to be told, after a hold, say."""
    return {model.id for model in document.models if model not in document.models._new_models}


def encode_document(document: Document) -> Serialized[Any]:
    """The whole document as JSON data; all its models are known to clients from now on."""
    return document.to_json()


def was_known(document: Document, model: Model) -> bool:
    """Whether the model was once in the document and left it: a client may still have its id in its tables."""
    return document.models.seen(model.id)


class _References(dict[ID, Model]):
    """What a client's patch may refer to: a document's models, looked up one at a time, and those it defines.

    Only the latter are entries. Stock copies all models into a dictionary for every patch.
    """

    def __init__(self, models: DocumentModelManager) -> None:
        super().__init__()
        self._models = models

    def get(self, key: ID, default: Any = None) -> Any:
        model = super().get(key)
        return model if model is not None else self._models.get_by_id(key)


def apply_patch(document: Document, content: Any, buffers: Sequence[tuple[str, bytes]], setter: object) -> None:
    """Apply a client's PATCH-DOC as ``Document.apply_json_patch`` does. Changes carry ``setter``: no echo.

    The models that the client defines are known to it. Others that are new stay new, for example those that wait in
    a hold (stock takes them for known). A reference to a model that has left the document drops the patch.
    """
    references = _References(document.models)
    deserializer = Deserializer(setter=setter)  # type: ignore[arg-type]
    deserializer._references = references
    try:
        patch = deserializer.decode(content, [Buffer(name, data) for name, data in buffers])  # type: ignore[arg-type]
    except UnknownReferenceError as error:
        if document.models.seen(error.id):
            return
        raise
    try:
        for event in patch["events"]:
            DocumentPatchedEvent.handle_event(document, event, setter)  # type: ignore[arg-type]
    finally:  # also if a callback raises
        document.models._new_models.difference_update(references.values())


def replace_document(document: Document, content: Any, buffers: Sequence[tuple[str, bytes]]) -> None:
    """Replace all that the document holds by a client's PUSH-DOC."""
    document.replace_with_json(Serialized(content, [Buffer(name, data) for name, data in buffers]))  # type: ignore[arg-type]


def value_event(document: Document, model: Model, attr: str) -> DocumentPatchedEvent:
    """The current value of a property as a change: what a stream or a column patch becomes when it is too late."""
    if isinstance(model, ColumnarDataSource) and attr == "data":
        return ColumnDataChangedEvent(document, model, attr)
    return ModelChangedEvent(document, model, attr, getattr(model, attr))


def changed_property(event: Any) -> tuple[Model, str] | None:
    """Which property of which model an event is about, if it is about one: a value, or columns of it."""
    model, attr = getattr(event, "model", None), getattr(event, "attr", None)
    return (model, attr) if isinstance(model, Model) and isinstance(attr, str) else None


def python_callbacks(document: Document) -> Iterator[str]:
    """What in a document calls Python, in words: the part, what happens to it, the function and its line."""
    for model in document.models:
        tables: list[tuple[str, Sequence[Any]]] = [*model._callbacks.items(), *model._event_callbacks.items()]
        for cause, callbacks in tables:
            yield from (f"{_named(model)}: {cause} -> {_place_of(callback)}" for callback in callbacks)
    for cause, on_events in document.callbacks._event_callbacks.items():
        yield from (f"document: {cause} -> {_place_of(callback)}" for callback in on_events)
    for entry in document.session_callbacks:
        yield f"{type(entry).__name__} -> {_place_of(entry.callback)}"


def _named(model: Model) -> str:
    return f"{type(model).__name__} {model.name!r}" if model.name else type(model).__name__


def _place_of(callback: Any) -> str:
    function = inspect.unwrap(callback)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"


# -- the end of a document ------------------------------------------------------------------------------------


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


# -- what deserializing needs ---------------------------------------------------------------------------------

def forget_models(modules: Collection[str]) -> None:
    """Forget the model classes of modules that are to be imported anew: bokeh warns of a class that is there twice."""
    for model in _default_resolver.known_models.values():  # type: ignore[attr-defined]  # its stub lacks both
        if model.__module__ in modules:
            _default_resolver.remove(model)  # type: ignore[attr-defined]


Decode = Callable[[Any], Any]


def decoder_for(document: Document) -> Decode:
    """Turns JSON data into models and values against the document's models; for tests and clients."""
    return Deserializer(list(document.models)).decode


# -- bokeh.io in a running app -------------------------------------------------------------------------------


class AppRun(Protocol):
    """A run of an app's code: owns a state of ``bokeh.io`` and is told which output function it called."""

    io_state: Any

    def refuse(self, name: str) -> None: ...


_OUTPUT_FUNCTIONS = ("output_file", "output_notebook", "reset_output", "save", "show")
_OUTPUT_MODULES = ("bokeh.io", "bokeh.io.output", "bokeh.io.saving", "bokeh.io.showing", "bokeh.plotting")


class _AppState:
    """Stands where bokeh keeps its one ``State`` of outputs: inside an app that app's, outside the process's."""

    def __init__(self, running: Callable[[], AppRun | None]) -> None:
        self.__dict__.update(running=running, own=curstate())

    def _current(self) -> Any:
        run: AppRun | None = self.__dict__["running"]()
        if run is None:
            return self.__dict__["own"]
        if run.io_state is None:
            run.io_state = io_state.State()
        return run.io_state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._current(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._current(), name, value)


def isolate_output(running: Callable[[], AppRun | None]) -> None:
    """Give each running app a ``curstate()`` of its own and let ``show`` and its kin do nothing in it.

    ``running`` tells the run of this context, None outside of apps, where all works as ever. Done once.
    """
    if isinstance(io_state._STATE, _AppState):
        return
    for name in _OUTPUT_FUNCTIONS:
        original = getattr(bokeh.io, name)
        silent = _silent_in_apps(original, running)
        for module in map(sys.modules.get, _OUTPUT_MODULES):
            if getattr(module, name, None) is original:
                setattr(module, name, silent)
    io_state._STATE = _AppState(running)  # type: ignore[assignment]


def _silent_in_apps(function: Callable[..., Any], running: Callable[[], AppRun | None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        run = running()
        return function(*arguments, **options) if run is None else run.refuse(function.__name__)

    return call


# -- custom models -------------------------------------------------------------------------------------------

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def custom_models_of(document: Document) -> frozenset[str]:
    """``model:DIGEST`` of each custom model that the modules of this document's app define, used or not."""
    # Not from bokeh's registry: there a name belongs to the session that was built last.
    values = [value for module in document.modules._modules for value in vars(module).values()]
    classes = [cls for cls in values if isinstance(cls, type) and issubclass(cls, Model) and is_custom(cls)]
    return frozenset(f"model:{source_of(cls).digest}" for cls in classes)


def bundle_custom_model(source: CustomSource) -> str:
    """Compile a custom model with node. Blocks for seconds. Raises ``CompileError``."""
    bundled = {item.full_name: item for item in (source, *source.imports)}
    try:
        script = compiler._bundle_models(cast("dict[str, compiler.CustomModel]", bundled))
    except (RuntimeError, OSError, ValueError) as error:
        reason = _TERMINAL_COLOURS.sub("", str(error)).strip()
        raise CompileError(f"custom model {source.name} does not compile: {reason}") from error
    # BokehJS runs each module once by name: with stock's name for the entry, a page takes only one bundle.
    return script.replace('"custom/main"', f'"custom/main_{source.digest}"')
