"""Calls on threads: their results as futures, and which errors the event loop gets."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from .children import end_child, generation

T = TypeVar("T")


class SubmittedCall(Future[T]):
    """A call and its result. If it is cancelled before it begins, ``forget`` takes it out of the queue."""

    def __init__(self, function: Callable[[], T], forget: Callable[[SubmittedCall[T]], object]) -> None:
        super().__init__()
        self._forget = forget
        self._function: Callable[[], T] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None  # its objects must not live as long as its result
        if function is None or not self.set_running_or_notify_cancel():
            return
        born = generation()
        try:
            result = function()
        except BaseException as error:
            end_child(born, error)
            self.set_exception(error)
        else:
            end_child(born, None)
            self.set_result(result)

    def cancel(self) -> bool:
        """Cancel the call, unless it has begun."""
        if not super().cancel():
            return False
        self._function = None
        self._forget(self)
        return True


def call_safely(function: Callable[[], T]) -> T:
    """Call ``function``; an exception that would end the waiting task or its loop becomes a ``RuntimeError``."""
    born = generation()
    try:
        result = function()
    except BaseException as error:
        end_child(born, error)
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise RuntimeError(f"the app's code ended with {error!r}") from error
    end_child(born, None)
    return result


def close_coroutine(job: Future[Any]) -> None:
    """Close a coroutine that nobody will await: Python would warn of it."""
    if not job.cancelled() and job.exception() is None and inspect.iscoroutine(job.result()):
        job.result().close()
