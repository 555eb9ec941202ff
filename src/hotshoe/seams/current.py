"""Makes bokeh's global state local: the current document for each context, the state of ``bokeh.io`` for each app.

``curdoc()`` returns the context's document, also on bokeh versions with a plain global list. ``show`` and similar
functions do nothing in a running app.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import bokeh.io
import bokeh.io.doc as curdoc_module
import bokeh.io.state as io_state
from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.io.state import curstate

DocumentLike = Document | UnlockedDocumentProxy
"""A result of ``curdoc()``: the document, or in an unlocked callback its proxy."""

_Stack = tuple["weakref.ref[Any]", ...]


class _ContextStack:
    """The stack of current documents, one per context; bokeh before 3.10 has a plain global list in its place.

    It has the methods that ``curdoc`` and ``patch_curdoc`` use: ``len``, ``[-1]``, ``append``, ``pop``; and ``clear``,
    which tests of apps use for cleaning up.
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

    def clear(self) -> None:
        self.variable.set(())


def _curdoc_variable() -> ContextVar[_Stack]:
    stack: Any = curdoc_module._PATCHED_CURDOCS
    if isinstance(stack, ContextVar):
        variable: ContextVar[_Stack] = stack
        return variable
    per_context = _ContextStack()
    per_context.variable.set(tuple(stack))  # not empty if an app on another server imports a part of hotshoe
    curdoc_module._PATCHED_CURDOCS = per_context  # type: ignore[assignment]
    return per_context.variable


_CURDOC = _curdoc_variable()


def set_current_document(document: DocumentLike) -> None:
    """Make ``document`` the only current document of this context; as in bokeh, the reference is weak."""
    _CURDOC.set((weakref.ref(document),))


def current_document() -> Document | None:
    """The document of this context, also where ``curdoc()`` is its proxy; ``None`` outside of documents."""
    stack = _CURDOC.get(())
    document = stack[-1]() if stack else None
    if isinstance(document, UnlockedDocumentProxy):
        of_proxy: Document = document._doc
        return of_proxy
    return document


@contextmanager
def document_context(document: DocumentLike) -> Iterator[None]:
    """Make ``document`` the result of ``curdoc()`` inside; after it, also after an exception, the previous one."""
    token = _CURDOC.set((weakref.ref(document),))
    try:
        yield
    finally:
        _CURDOC.reset(token)


class AppRun(Protocol):
    """A run of an app's code, with its own state of ``bokeh.io``; ``refuse`` is called for output functions."""

    io_state: Any

    def refuse(self, name: str, arguments: Sequence[Any]) -> None: ...


_OUTPUT_FUNCTIONS = ("output_file", "output_notebook", "reset_output", "save", "show")
_OUTPUT_MODULES = ("bokeh.io", "bokeh.io.output", "bokeh.io.saving", "bokeh.io.showing", "bokeh.plotting")


class _AppState:
    """Replaces bokeh's one ``State`` of outputs: the app's state inside an app, the process's state outside."""

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
    """Give each running app a ``curstate()`` of its own, and let ``show`` and similar functions do nothing in it.

    ``running`` returns the run of this context, or None outside of apps, where nothing changes. Only the first call has
    an effect.
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
        return function(*arguments, **options) if run is None else run.refuse(function.__name__, arguments)

    return call
