"""Watchers of parameters, such as Panel's ``on_click``, whose functions return coroutines without being ``async``
themselves: a lambda, for example. param drops these coroutines; here they run as those of ``async`` functions do.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ..current import current_document
from ..documents import awaiter_of


def await_watchers() -> None:
    """Replace param's function that calls a watcher. param must be imported. More calls change nothing."""
    parameters = sys.modules["param.parameterized"].Parameters
    original = parameters._execute_watcher
    if not hasattr(original, "awaits"):
        parameters._execute_watcher = _executor(original)


def _executor(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def execute(parameters: Any, watcher: Any, events: Any) -> None:
        if inspect.iscoroutinefunction(watcher.fn) or inspect.isasyncgenfunction(watcher.fn):
            original(parameters, watcher, events)
        else:
            original(parameters, watcher._replace(fn=functools.partial(_call, watcher.fn)), events)

    execute.awaits = True  # type: ignore[attr-defined]
    return execute


def _call(function: Callable[..., Any], /, *arguments: Any, **options: Any) -> None:
    result = function(*arguments, **options)
    if result is None or asyncio.isfuture(result) or not inspect.isawaitable(result):
        return
    if awaiter_of(current_document()) is not None:
        sys.modules["param.parameterized"].async_executor(functools.partial(_await, result))


async def _await(awaitable: Awaitable[Any]) -> None:
    await awaitable
