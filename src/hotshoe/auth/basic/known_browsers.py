"""Recognizes a browser in which a user has logged in before. Its attempts to log in as this user are counted apart, so
that nobody else can use them up.

The browser has a sealed cookie with a number for each of its latest users. It outlives the login, but not the password.
It logs nobody in: a thief gets as many attempts as any stranger, counted on their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2b

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ...tokens import derived
from ..accounts import Account
from ..login.sealing import Seal

LIFETIME_S = 400 * 86400
"""The longest time for which browsers keep a cookie."""
USERS_MOST = 5
"""How many users of one browser are remembered."""
_PURPOSE = "known"


class KnownBrowsers:
    """The browsers of one server's users."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._seal = Seal(keys, _PURPOSE)
        self._keys = [derived(key, _PURPOSE) for key in keys]

    def number_of(self, connection: HTTPConnection, account: Account) -> str | None:
        """The browser's number for the user; ``None`` if this user has not logged in there with this password."""
        numbers = self._numbers(connection)
        return next((numbers[mark] for mark in self._marks(account) if mark in numbers), None)

    def remember(self, response: Response, connection: HTTPConnection, account: Account) -> None:
        """Note that the user has logged in. The browser's number for this user stays the same."""
        number = self.number_of(connection, account) or secrets.token_urlsafe(12)
        marks = self._marks(account)
        others = [item for item in self._numbers(connection).items() if item[0] not in marks]
        users = dict([(marks[0], number), *others][:USERS_MOST])
        self._seal.set_cookie(response, connection, {"u": users}, lifetime_s=LIFETIME_S)

    def _numbers(self, connection: HTTPConnection) -> dict[str, str]:
        found = (value.get("u") for value in self._seal.cookies(connection))
        return next((users for users in found if isinstance(users, dict)), {})

    def _marks(self, account: Account) -> list[str]:
        """What stands for the account in the cookie, by key. It tells nobody the name.

        It contains the password's hash: on another server with this key, somebody else may have the same name.
        """
        data = f"{account.name}\n{account.hash}".encode()
        return [blake2b(data, key=key, digest_size=12).hexdigest() for key in self._keys]
