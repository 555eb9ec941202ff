"""Logins: who logged in with this browser, until when. The browser keeps them, sealed; the server only knows which have
ended early.
"""

from __future__ import annotations

import heapq
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from .sealing import Seal
from .user import User

_MOST_ENDED = 100_000


@dataclass(frozen=True, slots=True)
class Login:
    """One time that somebody has logged in."""

    id: str
    user: User
    began: float
    ends: float
    stamp: str
    """What the login depends on, such as the password: another one ends it."""


class Logins:
    """The logins of one provider. Those of other providers, with the same keys, are not among them."""

    def __init__(self, keys: Sequence[bytes], provider: str, *, lifetime_s: int,
                 clock: Callable[[], float] = time.time) -> None:
        self._seal = Seal(keys, f"login {provider}")
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._ended = Ended(_MOST_ENDED)

    def begin(self, response: Response, connection: HTTPConnection, user: User, stamp: str = "") -> list[User]:
        """Log the browser in that gets the response. What it was before ends; returns other users that it was.

        Raises ``ValueError`` if the user is too large for a cookie.
        """
        now = self._clock()
        login = Login(secrets.token_urlsafe(16), user, now, now + self._lifetime_s, stamp)
        value = _packed(login)
        if not self._seal.fits(value):
            raise ValueError("the user does not fit into a cookie")
        former = self._all(connection)
        for each in former:
            self._end(each)
        self._seal.set_cookie(response, connection, value, lifetime_s=self._lifetime_s)
        return [each.user for each in former if each.user.name != user.name]

    def find(self, connection: HTTPConnection) -> Login | None:
        """The login that a request carries, if it has not ended."""
        return next(iter(self._all(connection)), None)

    def end(self, response: Response, connection: HTTPConnection) -> Login | None:
        """End the login that the request carries, for everybody who has its cookie. Returns it, if there was one."""
        ended = self._all(connection)
        for login in ended:
            self._end(login)
        self._seal.forget_cookies(response, connection)
        return ended[0] if ended else None

    def _all(self, connection: HTTPConnection) -> list[Login]:
        found = [login for value in self._seal.cookies(connection) if (login := _unpacked(value)) is not None]
        now = self._clock()
        # The lifetime may have been shortened since, or the clock set back.
        return [login for login in found
                if now < login.ends <= now + self._lifetime_s and not self._ended.has(login)]

    def _end(self, login: Login) -> None:
        self._ended.add(login, self._clock())


class Ended:
    """Which logins have ended early. Bounded: past ``most``, older logins count as ended too, never the other way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ids: set[str] = set()
        self._by_end: list[tuple[float, float, str]] = []
        self._all_until = float("-inf")

    def has(self, login: Login) -> bool:
        """Whether the login has ended."""
        return login.id in self._ids or login.began <= self._all_until

    def add(self, login: Login, now: float) -> None:
        """Remember that the login has ended, until it would have ended anyway."""
        if login.id in self._ids:
            return
        self._ids.add(login.id)
        heapq.heappush(self._by_end, (login.ends, login.began, login.id))
        while self._by_end and (self._by_end[0][0] <= now or len(self._by_end) > self._most):
            ends, began, forgotten = heapq.heappop(self._by_end)
            self._ids.discard(forgotten)
            if ends > now:
                self._all_until = max(self._all_until, began)


def _packed(login: Login) -> dict[str, Any]:
    user = login.user
    value = {"i": login.id, "n": user.name, "b": login.began, "x": login.ends, "e": user.email,
             "g": sorted(user.groups), "c": dict(user.claims), "s": login.stamp}
    return {name: part for name, part in value.items() if part}


def _unpacked(value: dict[str, Any]) -> Login | None:
    """The value was sealed by us, maybe by another version."""
    try:
        user = User(value["n"], value.get("e", ""), frozenset(value.get("g", ())), value.get("c", {}))
        return Login(value["i"], user, float(value["b"]), float(value["x"]), value.get("s", ""))
    except (KeyError, TypeError, ValueError):
        return None
