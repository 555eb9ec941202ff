"""What all sessions of an app live in, and how they are to behave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .pulse import Pulse
from .threads import ThreadPool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The same for all sessions of an app, and for most of a host."""

    loop: asyncio.AbstractEventLoop
    pool: ThreadPool | None
    """The threads that run app code; without them the loop does."""
    pulse: Pulse
    collapse: bool = True
    """Whether waiting changes of one control collapse, unless the session says otherwise."""
    dev: bool = False
    """Whether pages are told what went wrong in the words of the traceback."""
