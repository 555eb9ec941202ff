"""The interface of every way to log in. A provider identifies users; ``access.py`` decides what they may open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ..base.users import User

Endpoint = Callable[[Request], Awaitable[Response]]
OnLogout = Callable[[User], Awaitable[None]]
"""Called with the user when a login has ended: each process then looks again at the websockets of this user."""


async def ignore_logout(user: User) -> None:
    """An ``OnLogout`` for providers without websockets."""


class Provider(Protocol):
    """Identifies the user of a request. The front asks it for every page, script and websocket."""

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The provider's own pages, by path below the server's prefix, such as ``/login``. They need no login."""

    @property
    def logout_path(self) -> str | None:
        """The page that logs a user out: a path below the prefix or a full URL; ``None`` if there is none."""

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user who sent the request or opens the websocket; ``None`` if the user is unknown."""

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """The page where an unknown user logs in, in the same form as ``logout_path``."""

    async def start(self) -> None:
        """Open connections and threads, on the serving loop. Raises ``ConfigError`` if logins can't work."""

    async def stop(self) -> None:
        """Close what ``start`` opened."""
