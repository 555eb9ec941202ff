"""Logins: the user of a browser, and when the login ends. The browser keeps them in a sealed cookie. The server only
remembers the logins that have ended early.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ...base.shared import EVICTED, Shared, Space
from ...base.users import User
from .sealing import Seal

ENDED = Space("ended logins", most_entries=100_000, most_bytes=8 << 20, keeps_evicted=True)
_CLOCKS_DIFFER_S = 60
"""The clock of logins, which can be set, may differ by this from the clock of ``Shared``."""
_SET_BACK_S = 24 * 3600
"""It may be set back by this after a logout, and the login stays ended."""


@dataclass(frozen=True, slots=True)
class Login:
    """A login of a user with a browser."""

    id: str
    user: User
    began: float
    ends: float
    stamp: str
    """A text that changes when all logins of the user must end, such as a hash of the password."""


class Logins:
    """The logins of one provider. Logins of another provider are not valid here, even if the keys are the same."""

    def __init__(self, keys: Sequence[bytes], provider: str, *, lifetime_s: int, shared: Shared,
                 clock: Callable[[], float] = time.time) -> None:
        self._seal = Seal(keys, f"login {provider}")
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._ended = EndedLogins(shared)

    async def begin(self, response: Response, connection: HTTPConnection, user: User, stamp: str = "") -> list[User]:
        """Log in the browser that gets the response. Its former logins end. Returns their users, except ``user``.

        Raises ``ValueError`` if the user is too large for a cookie.
        """
        now = self._clock()
        login = Login(secrets.token_urlsafe(16), user, now, now + self._lifetime_s, stamp)
        value = _packed(login)
        if not self._seal.fits(value):
            raise ValueError("the user does not fit into a cookie")
        former = await self._all(connection)
        await self._end(former)
        self._seal.set_cookie(response, connection, value, lifetime_s=self._lifetime_s)
        return [each.user for each in former if each.user.name != user.name]

    async def find(self, connection: HTTPConnection) -> Login | None:
        """The login in the request's cookie, if it has not ended."""
        return next(iter(await self._all(connection)), None)

    async def end(self, response: Response, connection: HTTPConnection) -> Login | None:
        """End the login in the request's cookie, also for copies of the cookie. Returns the login, if there was one."""
        found = await self._all(connection)
        await self._end(found)
        self._seal.forget_cookies(response, connection)
        return found[0] if found else None

    async def _all(self, connection: HTTPConnection) -> list[Login]:
        found = [login for value in self._seal.cookies(connection) if (login := _unpacked(value)) is not None]
        now = self._clock()
        # The lifetime may have been shortened since, or the clock set back.
        return [login for login in found
                if now < login.ends <= now + self._lifetime_s and not await self._ended.has(login)]

    async def _end(self, logins: Iterable[Login]) -> None:
        now = self._clock()
        for login in logins:
            await self._ended.add(login, now)


class EndedLogins:
    """The logins that have ended early, for all processes. The number is limited. If one is evicted, all logins that
    expire as early as it count as ended, too, so that no ended login is ever valid again.
    """

    def __init__(self, shared: Shared, space: Space = ENDED) -> None:
        self._shared = shared
        self._space = space

    async def has(self, login: Login) -> bool:
        """Whether the login has ended."""
        ended, evicted = await self._shared.get(self._space, login.id, EVICTED)
        return ended is not None or (evicted is not None and login.ends <= float(evicted) + _CLOCKS_DIFFER_S)

    async def add(self, login: Login, now: float) -> None:
        """Remember that the login has ended, until it would have expired even if the clock is set back."""
        ttl_s = login.ends - now + _CLOCKS_DIFFER_S + _SET_BACK_S
        await self._shared.put(self._space, login.id, repr(login.ends).encode(), ttl_s)


def _packed(login: Login) -> dict[str, Any]:
    user = login.user
    value = {"i": login.id, "n": user.name, "b": login.began, "x": login.ends, "e": user.email,
             "g": sorted(user.groups), "c": dict(user.claims), "s": login.stamp}
    return {name: part for name, part in value.items() if part}


def _unpacked(value: dict[str, Any]) -> Login | None:
    """The login in a sealed value, which another version may have made."""
    try:
        user = User(value["n"], value.get("e", ""), frozenset(value.get("g", ())), value.get("c", {}))
        return Login(value["i"], user, float(value["b"]), float(value["x"]), value.get("s", ""))
    except (KeyError, TypeError, ValueError):
        return None
