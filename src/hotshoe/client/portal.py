"""An event loop on a thread of its own, for callers that have none; and a second thread, for callbacks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Portal:
    """Runs coroutines for other threads until ``close``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hotshoe-client", daemon=True)
        self._thread.start()
        self._callbacks = ThreadPoolExecutor(1, thread_name_prefix="hotshoe-client-callbacks")

    @property
    def is_here(self) -> bool:
        """Whether this is the loop's own thread, which can't wait for itself."""
        return threading.current_thread() is self._thread

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin to run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the loop and wait for what it returns; an interruption here cancels it there."""
        future = self.start(work)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()
            raise

    async def run(self, function: Callable[[], Any]) -> Any:
        """Run a function on the thread for callbacks; they run one at a time."""
        return await self._loop.run_in_executor(self._callbacks, function)

    def close(self) -> None:
        """End both threads; a callback that still runs is not waited for."""
        self._callbacks.shutdown(wait=False, cancel_futures=True)
        self.call(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
