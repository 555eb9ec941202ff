"""Results of calls of ``Server`` that work on its loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pending:
    """Work on the server's loop: ``await`` it on any loop, or call ``result()`` in any other thread."""

    future: concurrent.futures.Future[None]

    def result(self, timeout_s: float | None = None) -> None:
        """Wait until the work is done; raises its error. Never call it on the server's loop."""
        self.future.result(timeout_s)

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.wrap_future(self.future).__await__()


def result_at_once(call: Coroutine[Any, Any, T]) -> T:
    """The result of a call that does not have to wait. Raises RuntimeError if it has to."""
    try:
        call.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    call.close()
    raise RuntimeError("the apps run in other processes, and the server's own loop can't wait for them: call this in "
                       "another thread")
