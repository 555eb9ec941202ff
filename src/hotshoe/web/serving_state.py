"""What all connections of a server share: its limits, who is connected, what has been refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from uvicorn.server import ServerState
from websockets.extensions import ServerExtensionFactory

from ..log_pace import Paced
from .limits import Limits
from .places import Places

_log = logging.getLogger("hotshoe.limits")


class ServingState(ServerState):
    """uvicorn's state with what our protocols need."""

    def __init__(self, limits: Limits | None = None, is_client: Callable[[str], bool] = lambda address: True,
                 extension: ServerExtensionFactory | None = None) -> None:
        super().__init__()
        self.limits = limits or Limits()
        self.extension = extension
        self.places: Places[asyncio.BaseTransport] = Places(
            self.limits.connections, self.limits.connections_per_address, is_client)
        self.lingering = 0
        self._complaints: dict[str, Paced] = {}

    def warn(self, text: str, *arguments: object) -> None:
        """Log what was refused, each kind now and then; the text ends with how many there were."""
        self._complaints.setdefault(text, Paced(_log)).warn(text + " (%d since the last such line)", *arguments)
