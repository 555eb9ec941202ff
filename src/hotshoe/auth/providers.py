"""Which provider the settings ask for. Libraries are imported only for the one that is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..config import Settings
from .needing import need
from .provider import Provider
from .user import User


def provider_of(settings: Settings, *, keys: Sequence[bytes],
                on_logout: Callable[[User], None] = lambda user: None) -> Provider | None:
    """The provider of ``--auth``, or ``None`` if there is to be no login. Raises ``ConfigError``.

    ``keys`` are the server's secret keys: the first one signs, all of them verify. ``on_logout`` is called once a login
    has ended; from then on ``user_of`` is ``None`` for every request and websocket that carries it, and still brings
    the user for their other logins. What ``login_path`` returns has its ``next`` argument already.
    """
    match settings.auth:
        case "basic":
            return _basic(settings, keys, on_logout)
    return None


def _basic(settings: Settings, keys: Sequence[bytes], on_logout: Callable[[User], None]) -> Provider:
    need("--auth basic", "argon2", "itsdangerous")
    from .basic import BasicLogin

    return BasicLogin(Path(settings.users_file), keys=keys, lifetime_s=settings.login_lifetime,
                      prefix=settings.prefix, on_logout=on_logout)
