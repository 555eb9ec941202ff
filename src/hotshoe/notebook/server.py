"""The server of one app in a kernel: on loopback, behind a path that nobody can guess, for ids that it has signed.

On a machine of many users loopback is everybody's, so only the notebook's output opens a session. What that carries
stands in for an origin list: the page's origin is that of the Jupyter server, which nobody here knows.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Self

from hotshoe.errors import BindError, ConfigError
from hotshoe.tokens import new_session_id
from hotshoe.web.server import Server

ADDRESS = "127.0.0.1"
_SECRET_BYTES = 16
_KEY_BYTES = 32
_OURS = frozenset({"address", "prefix", "allow_websocket_origin", "dev", "show", "watch", "session_ids", "secret_key"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is: what a browser finds it by."""

    secret: str
    port: int = 0

    @classmethod
    def new(cls) -> Self:
        """On any free port, behind a new secret."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES))


class KernelServer(Server):
    """Serves one app at ``place``. Its pages show what the app raises, as in dev mode, but no files are watched."""

    def __init__(self, app: Any, place: Place, *, name: str = "app", **settings: Any) -> None:
        if taken := sorted(_OURS & settings.keys()):
            raise ConfigError(f"show: {taken[0]} can't be set in a notebook; leave it out")
        key = secrets.token_hex(_KEY_BYTES)
        super().__init__(
            {f"/{name}": app}, **{"port": place.port, **settings}, address=ADDRESS, prefix=f"/{place.secret}",
            allow_websocket_origin=("*",), session_ids="external-signed", secret_key=key,
        )  # fmt: skip
        self._settings = self.settings.replace(dev=True)
        self._secret = place.secret
        self._key = key.encode()
        self.path = f"{self.prefix}/{name}"
        """The app's, on this server."""

    @property
    def place(self) -> Place:
        """Where it is; its port is known once it has started."""
        return Place(self._secret, self.port)

    def new_session_id(self) -> str:
        """An id that opens a session."""
        return new_session_id(key=self._key)


def started(app: Any, place: Place, *, name: str = "app", **settings: Any) -> KernelServer:
    """A server that listens at ``place``, or behind the same secret on another port if that one is taken.

    ``name`` is the app's in logs and reports. Raises ``AppError``, ``ConfigError``, and ``BindError`` for a port that
    ``settings`` ask for.
    """
    server = KernelServer(app, place, name=name, **settings)
    try:
        server.start()
    except BindError:
        if not place.port or settings.get("port"):
            raise
        return started(app, Place(place.secret), name=name, **settings)
    return server
