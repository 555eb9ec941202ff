"""The time of a server: tasks that run as long as it does, and the deadline for stopping it.

If a task fails, the error is logged, and the task starts again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

log = logging.getLogger("hotshoe.tasks")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 60.0
"""The pause doubles with each failure in a row, up to this. After a task has run longer than this, the next
pause is the first one again."""

STOP_GRACE_S = 9.0
"""The longest time for stopping a server: for running callbacks, hooks and connections.

Docker kills a process after 10 s. In this time a callback of 3 s and a hook of 2.5 s both finish.
"""


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Await ``run()``, again after each failure, until it returns or this is cancelled.

    ``name`` is for the log: the task as a noun.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        began_s = time.monotonic()
        try:
            await run()
            return
        except (Exception, asyncio.CancelledError):
            if _is_cancelled():
                raise
            if time.monotonic() - began_s > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            log.exception("%s has failed and starts again in %g s", name, pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _is_cancelled() -> bool:
    """Whether this task itself is cancelled, and not only something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def start(name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Start a supervised task on the running loop. The caller keeps it, and cancels it at the end."""
    return asyncio.get_running_loop().create_task(supervise(name, run), name=name)


class Deadline:
    """A time limit for a sequence of steps: ``left_s`` seconds from now, by default the time for stopping a server."""

    def __init__(self, left_s: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end_s = clock() + (STOP_GRACE_S if left_s is None else left_s)

    @property
    def left_s(self) -> float:
        """The seconds that are left; 0 after the end."""
        return max(0.0, self._end_s - self._clock())

    def share(self, share: float) -> Deadline:
        """An earlier deadline, with this share of the time that is left; the rest is for later steps."""
        return Deadline(share * self.left_s, clock=self._clock)
