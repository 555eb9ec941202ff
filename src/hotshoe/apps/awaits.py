"""``await`` outside of functions, which Jupyter allows in cells: the thread waits while the event loop awaits."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import contextvars
import threading
from asyncio import _get_running_loop
from collections.abc import Awaitable
from functools import partial
from typing import Any

from ..base.lent_loop import await_on, here
from ..base.threads import ThreadPool


class _Awaits(ast.NodeTransformer):
    """``await x`` becomes ``get_ipython().wait_for(x)``, but not in functions."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        shell = ast.Call(ast.Name("get_ipython", ast.Load()), [], [])
        call = ast.Call(ast.Attribute(shell, "wait_for", ast.Load()), [node.value], [])
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def leave_alone(self, node: ast.AST) -> ast.AST:
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = leave_alone  # noqa: N815


def without_awaits(tree: ast.Module) -> ast.Module:
    """The code of a cell with a call in the place of each ``await`` outside of functions."""
    _Awaits().visit(tree)
    return tree


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Await ``awaitable`` on the event loop in this context, and return its result, or raise its exception.

    If an event loop runs this code itself (``--threads 0``, an export), it can't: another loop awaits meanwhile.
    """

    async def awaited() -> Any:
        return await awaitable

    if _get_running_loop() is not None:
        with contextlib.closing(ThreadPool(1, name="hotshoe-await")) as thread:
            return thread.submit(partial(contextvars.copy_context().run, asyncio.run, awaited())).result()
    loop = _loop_of_thread()
    return asyncio.run(awaited()) if loop is None else await_on(loop, awaited())


def _loop_of_thread() -> asyncio.AbstractEventLoop | None:
    """The server's loop; ``None`` if there is no server."""
    if here.loop is not None:
        return here.loop
    if threading.current_thread() is threading.main_thread():
        return None
    try:
        loop = asyncio.get_event_loop()  # that which the pool has set, if it can't be lent
    except RuntimeError:
        return None
    return loop if loop.is_running() else None
