"""The current document: what ``curdoc()`` gives, per context also where bokeh keeps a plain global list."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import bokeh.io.doc as curdoc_module
from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy

DocumentLike = Document | UnlockedDocumentProxy
"""What ``curdoc()`` may be: the document, or the proxy an unlocked callback sees."""

_Stack = tuple["weakref.ref[Any]", ...]


class _ContextStack:
    """The stack of current documents that bokeh before 3.10 keeps in a plain global list, per context instead.

    It answers to what ``curdoc`` and ``patch_curdoc`` do with the list: ``len``, ``[-1]``, ``append``, ``pop``; and to
    ``clear``, with which tests of apps clean up.
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
