"""Callbacks that return awaitables. Bokeh calls ``async def`` functions where it takes a callback, and drops the
coroutine, so that nothing happens. Here a served document awaits it, as that of a next-tick callback: with its lock,
unless the function is marked by ``without_document_lock``.

Outside of documents that hotshoe serves nothing changes.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from bokeh.document import Document
from bokeh.util import callback_manager
from bokeh.util.callback_manager import EventCallbackManager, PropertyCallbackManager

from .current import current_document


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
