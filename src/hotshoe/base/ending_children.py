"""Ends the processes that apps have started and left, when the server ends. For processes that only serve.

A process in a session of its own (``start_new_session=True``) is meant to live on: it is left alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

GRACE_S = 2.0
"""How long a child has after SIGTERM; then it is killed."""
LOOK_EVERY_S = 0.02


class Process(NamedTuple):
    """A process; the time of its start tells it from a later one with the same id."""

    pid: int
    started: int


def descendants() -> frozenset[Process]:
    """The processes below this one, in its session, that have not ended. Empty where there is no ``/proc``."""
    own_session, children = os.getsid(0) if hasattr(os, "getsid") else 0, dict[int, list[Process]]()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_bytes().rpartition(b") ")[2].split()
            state, parent, session, started = fields[0], int(fields[1]), int(fields[3]), int(fields[19])
            if state not in (b"Z", b"X") and session == own_session:
                children.setdefault(parent, []).append(Process(int(entry.name), started))
    found, waiting = set[Process](), [os.getpid()]
    while waiting:
        for process in children.get(waiting.pop(), ()):
            found.add(process)
            waiting.append(process.pid)
    return frozenset(process for process in found if not _ends_last(process))


def _ends_last(process: Process) -> bool:
    """Whether it cleans up after the others, and then ends by itself."""
    with suppress(OSError):
        return b"resource_tracker" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    return False


def end_descendants(but: frozenset[Process], *, grace_s: float = GRACE_S) -> None:
    """End the descendants that are not in ``but``: by SIGTERM, and those that live on by SIGKILL.

    ``multiprocessing`` ends its daemons itself when Python ends, and would replace those of a pool. What lives on
    ``grace_s`` after that is killed. Until then nothing is: the program may go on, and have new children.
    """
    library = sys.modules.get("multiprocessing")  # only an app imports it
    daemons = {process.pid for process in library.active_children() if process.daemon} if library else set[int]()
    end_s, told = time.monotonic() + grace_s, set[Process]()
    while left := {process for process in descendants() - but if process.pid not in daemons}:
        if time.monotonic() > end_s:
            _signal(left, signal.SIGKILL)
            break
        _signal(left - told, signal.SIGTERM)
        told |= left
        time.sleep(LOOK_EVERY_S)
    if daemons:
        threading.Thread(target=_kill_later, args=(but, grace_s), name="hotshoe-children", daemon=True).start()


def kill_descendants(but: frozenset[Process] = frozenset()) -> None:
    """Kill them at once."""
    _signal(descendants() - but, signal.SIGKILL)


def _kill_later(but: frozenset[Process], grace_s: float) -> None:
    threading.main_thread().join()  # which is done once Python begins to end
    while True:
        time.sleep(grace_s)
        kill_descendants(but)


def _signal(processes: set[Process] | frozenset[Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(OSError):  # it has ended
            os.kill(process.pid, number)
