"""Callbacks that run beside the lane, without the lock: those made with ``without_document_lock``."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bokeh.document import Document

from .. import seams
from .section import current
from .threads import ThreadPool, post

Report = Callable[[BaseException, str], object]


class Unlocked:
    """Runs unlocked callbacks of one document on threads, coroutines on the loop.

    ``curdoc()`` is a proxy in them that lets them schedule locked work and nothing else.
    """

    def __init__(
        self,
        document: Document,
        variables: contextvars.Context,
        *,
        loop: asyncio.AbstractEventLoop,
        pool: ThreadPool | None,
        report: Report,
    ) -> None:
        self._document = document
        self._variables = variables
        self._loop = loop
        self._pool = pool
        self._report: Report | None = report
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        """Run ``function`` soon, and then ``done``. May be called from any thread."""
        job = partial(self._variables.copy().run, self._work, function, done)
        if self._pool is not None:
            self._pool.submit(job)
        else:
            post(self._loop, job)

    def cancel(self) -> None:
        """Cancel what is awaited, and let go of the session."""
        self._report = None
        for task in list(self._tasks):
            post(self._loop, task.cancel)

    def _work(self, function: Callable[[], Any], done: Callable[[], None]) -> None:
        proxy = seams.unlocked_proxy(self._document)
        current.set(None)
        seams.set_current_document(proxy)
        try:
            result = function()
        except BaseException as error:
            self._failed(error)
            done()
            return
        if inspect.isawaitable(result):
            post(self._loop, self._start, result, done, proxy, contextvars.copy_context())
        else:
            done()

    def _start(
        self, awaitable: Awaitable[Any], done: Callable[[], None], proxy: object, variables: contextvars.Context
    ) -> None:
        task = self._loop.create_task(self._await(awaitable, done, proxy), context=variables)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _await(self, awaitable: Awaitable[Any], done: Callable[[], None], proxy: object) -> None:
        # ``proxy`` is only held weakly by the context, so it is held here.
        try:
            await awaitable
        except BaseException as error:
            self._failed(error)
        finally:
            done()

    def _failed(self, error: BaseException) -> None:
        if self._report is not None:
            self._report(error, "an unlocked callback")
