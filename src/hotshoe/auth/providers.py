"""Which provider the settings ask for. Libraries are imported only for the one that is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..config import Settings
from .provider import Provider
from .user import User


def provider_of(settings: Settings, *, keys: Sequence[bytes],
                on_logout: Callable[[User], None] = lambda user: None) -> Provider | None:
    """The provider of ``--auth``, or ``None`` if there is to be no login. Raises ``ConfigError``.

    ``keys`` are the server's secret keys: the first one signs, all of them verify. ``on_logout`` is called once a login
    has ended; from then on ``user_of`` is ``None`` for every request and websocket that carries it, and still brings
    the user for their other logins. What ``login_path`` returns has its ``next`` argument already.
    """
    return None
