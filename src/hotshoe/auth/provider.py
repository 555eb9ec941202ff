"""What answers the question who somebody is; whether they may is another one (``access.py``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from .user import User

Endpoint = Callable[[Request], Awaitable[Response]]


class Provider(Protocol):
    """Knows users by their requests. The front asks it for every page, script and websocket."""

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Pages of its own by path below the server's prefix, such as ``/login``; open to everyone."""

    @property
    def logout_path(self) -> str | None:
        """Where a user logs out: a path below the prefix or a full URL; ``None`` if there is no such place."""

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Who sent the request or opens the websocket; ``None`` for nobody known."""

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """Where to send a visitor whom it does not know: as ``logout_path``."""

    async def start(self) -> None:
        """Open what it needs, on the loop that serves. Raises ``ConfigError`` if it can't work."""

    async def stop(self) -> None:
        """Let go of it again."""
