"""Looks at the threads every second: warns if callbacks hold many of them, and ends those whose session nobody sees.

A callback that computes is ended by an exception in its thread. One that only waits can't be ended: its thread is
replaced.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from ..base.errors import UnseenCallback
from ..base.logs import PacedLog
from ..base.threads import ThreadPool
from ..base.tracebacks import may_be_interrupted, place_of
from ..base.workers import RunningJob, frame_of
from ..sessions import Registry, Session

_log = logging.getLogger("hotshoe.threads")
_paced = PacedLog(_log, most=1)

LOOK_EVERY_S = 1.0

LONG_S = 3.0
"""A callback that runs longer is looked at: by then the pool has found out whether it only waits."""

NAMED_MOST = 8
"""How many callbacks a warning names."""

TRIES_MOST = 3
"""How often the exception is raised in a callback that catches it."""
LOOKS_MOST = 20
"""How often one try looks for a moment at which the thread is in the app's own code."""
PAUSE_S = 0.002
"""The pause between these."""


class Watch:
    """Watches the threads of a ``pool``, of which there are ``most`` without spare ones. It may be of one ``app``.

    ``lifetime_s`` is how long nobody must have seen a session. ``spare`` bounds the threads that are replaced because
    nobody sees their sessions.
    """

    def __init__(self, pool: ThreadPool, registries: Mapping[str, Registry], *, most: int, spare: int,
                 lifetime_s: float, app: str | None = None) -> None:
        self._pool = pool
        self._registries = registries
        self._most = most
        self._spare = spare
        self._lifetime_s = lifetime_s
        self._app = app
        self._waited = False
        """Whether jobs waited for a thread at the last look."""
        self._tries: dict[tuple[int, int], int] = {}
        """How often each running job was interrupted, by its thread and number."""

    async def look(self) -> None:
        """Look once."""
        self._pool.look()
        began_s = time.monotonic() - LONG_S
        jobs = [job for job in self._pool.running() if job.since_s < began_s]
        self._warn(jobs)
        ids = {_id(job) for job in jobs}
        self._tries = {key: count for key, count in self._tries.items() if key in ids}
        for job in jobs:
            if isinstance(job.owner, Session) and not job.is_lost and not self._is_seen(job.owner):
                await self._end(job, job.owner)

    def _warn(self, jobs: list[RunningJob]) -> None:
        waited, self._waited = self._waited, self._pool.waiting_count > 0
        is_full = self._app is None and 2 * len(jobs) >= self._most  # the one thread of an app is always full
        if not jobs or not (is_full or (waited and self._waited)):
            return
        names = ", ".join(map(_described, jobs[:NAMED_MOST]))
        more = f", and {len(jobs) - NAMED_MOST} more" if len(jobs) > NAMED_MOST else ""
        if self._app is not None:
            _paced.warning("A callback has run for more than %g s on the one thread of app %s (--app-thread own), "
                           "and other work of the app waits for it: %s", LONG_S, self._app, names)
            return
        _paced.warning("%d callbacks have run for more than %g s, and hold threads (--threads %d, "
                       "--max-computing-per-user); %d pieces of work wait for a thread: %s%s",
                       len(jobs), LONG_S, self._most, self._pool.waiting_count, names, more)

    def _is_seen(self, session: Session) -> bool:
        registry = self._registries.get(session.app_url)
        return not session.destroyed and (registry is None or registry.is_seen(session, self._lifetime_s))

    async def _end(self, job: RunningJob, session: Session) -> None:
        if job.is_waiting or session.destroyed:  # the hooks of a session that ends may take their time
            self._replace(session)
            return
        tries = self._tries.get(_id(job), 0)
        if tries >= TRIES_MOST:
            _log.warning("A callback of session %s of app %s, which nobody sees, can't be ended: it computes on at %s",
                         session.context.name, session.app_url, place_of(frame_of(job.worker.ident)))
            self._replace(session)
            return
        self._tries[_id(job)] = tries + 1
        for _ in range(LOOKS_MOST):
            if self._pool.interrupt(job, UnseenCallback, may_be_interrupted):
                return
            await asyncio.sleep(PAUSE_S)

    def _replace(self, session: Session) -> None:
        if self._pool.lost_count < self._spare:
            self._pool.give_up(session.lane.line)


def _id(job: RunningJob) -> tuple[int, int]:
    return id(job.worker), job.serial


def _described(job: RunningJob) -> str:
    kind = "waits" if job.is_waiting else "computes"
    place = place_of(frame_of(job.worker.ident))
    if not isinstance(job.owner, Session):
        return f"a hook that {kind} at {place}"
    session = job.owner
    user = f" of user {session.user}" if session.user else ""
    return f"session {session.context.name} of app {session.app_url}{user} {kind} at {place}"
