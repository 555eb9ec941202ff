"""``--auth basic``: users log in with a name and a password."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from dataclasses import replace

from argon2 import PasswordHasher
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ...base.errors import RequestError
from ...base.logs import PacedLog
from ...base.shared import Shared
from ...base.tasks import start as start_task
from ...base.users import User
from ...http.paths import login_with_next, next_of, wanted
from ...http.requests import client_address
from ..accounts import Account, Accounts
from ..login.forms import CsrfProtection, masked, read_form
from ..login.logins import Logins
from ..login.logout import Logout
from ..login.pages import LOGIN, LOGOUT, notice, page, redirect_back, redirect_without_slash, wrong_method
from ..provider import Endpoint, OnLogout, ignore_logout
from .guessing import Guess, Guesses
from .known_browsers import KnownBrowsers
from .passwords import Passwords

_log = logging.getLogger(__name__)
_paced_log = PacedLog(_log)

_WRONG = "The user name or the password is wrong."
_TRY_AGAIN = {"Retry-After": "5"}


class BasicLogin:
    """A provider whose login page asks for name and password."""

    def __init__(self, accounts: Accounts, *, keys: Sequence[bytes], lifetime_s: int, shared: Shared, prefix: str = "",
                 on_logout: OnLogout = ignore_logout, guesses: Guesses | None = None,
                 hasher: PasswordHasher | None = None) -> None:
        self._accounts = accounts
        self._logins = Logins(keys, "basic", lifetime_s=lifetime_s, shared=shared)
        self._csrf = CsrfProtection(keys)
        self._logout = Logout(self._logins, self._csrf, on_logout)
        self._on_logout = on_logout
        self._prefix = prefix
        self._watching: asyncio.Task[None] | None = None
        self._changes: AsyncIterator[frozenset[str]] | None = None
        self._names: set[str] = set()
        """The names of all accounts that have existed since the start."""
        self._guesses = guesses or Guesses(shared)
        self._browsers = KnownBrowsers(keys)
        self._hasher = hasher
        self._passwords = Passwords(hasher)

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The pages to log in and out."""
        return {LOGIN: self._login, LOGOUT: self._logout.respond}

    @property
    def logout_path(self) -> str:
        """The page to log out."""
        return LOGOUT

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user, as the account is now. A login ends when the password changes or the account is removed."""
        login = await self._logins.find(connection)
        account = await self._accounts.find(login.user.name) if login is not None else None
        if login is None or account is None or _stamp(account) != login.stamp:
            return None
        return User(account.name, account.email, account.groups)

    async def login_path(self, connection: HTTPConnection) -> str:
        """The page to log in. It redirects back after the login."""
        return login_with_next(LOGIN, wanted(connection, self._prefix))

    async def start(self) -> None:
        """Watch the accounts from now on."""
        self._changes = await self._accounts.watch()
        self._names = set(await self._accounts.all())
        self._watching = start_task("the watch for changed accounts", self._follow)
        if not self._names:
            _log.warning("Nobody can log in: the users file has no users yet; hotshoe user add makes one")

    async def stop(self) -> None:
        """Stop watching, and refuse the passwords that wait for their check."""
        if self._watching is not None:
            self._watching.cancel()
        self._passwords.close()
        self._passwords = Passwords(self._hasher)
        await self._accounts.close()

    async def _follow(self) -> None:
        """Report changed accounts, as their logins may have ended while they have open websockets."""
        if self._changes is None:  # the watch has failed before, so any account may have changed meanwhile
            self._changes = await self._accounts.watch()
            await self._report({*self._names, *await self._accounts.all()})
        changes, self._changes = self._changes, None
        async for names in changes:
            await self._report(names)

    async def _report(self, names: Set[str]) -> None:
        self._names |= names
        for name in names:
            await self._on_logout(User(name))

    async def _login(self, request: Request) -> Response:
        if (response := redirect_without_slash(request, LOGIN)) is not None:
            return response
        match request.method:
            case "GET" | "HEAD":
                next = next_of(request.query_params.get("next"))  # noqa: A001
                if await self.user_of(request) is not None:
                    return redirect_back(next)
                return self._form(request, next)
            case "POST":
                return await self._post(request)
        return wrong_method("GET", "HEAD", "POST")

    async def _post(self, request: Request) -> Response:
        try:
            form = await read_form(request)
        except RequestError as error:
            return notice(error.status, error.detail, link="." + LOGIN, link_text="Log in")
        next = next_of(form.get("next"))  # noqa: A001
        name = form.get("name", "").strip()[:200]
        if (problem := self._csrf.problem(request, form)) is not None:
            return self._form(request, next, name, problem, 403)
        account = await self._accounts.find(name)
        number = None if account is None else self._browsers.number_of(request, account)
        guess = Guess(name, client_address(request), number)
        if wait_s := await self._guesses.count(guess):
            return self._ask_to_wait(request, next, name, wait_s)
        try:
            account = await self._check(guess, form.get("password", ""))
        except RequestError as error:
            return self._form(request, next, name, error.detail, error.status, _TRY_AGAIN)
        if account is None:
            _paced_log.warning("A login as %r from %s failed", name, guess.address or "an unknown address")
            return self._form(request, next, name, _WRONG, 401)
        _log.info("User %r has logged in", account.name)
        response = redirect_back(next)
        self._browsers.remember(response, request, account)
        for former in await self._logins.begin(response, request, User(account.name), _stamp(account)):
            await self._on_logout(former)
        return response

    async def _check(self, guess: Guess, password: str) -> Account | None:
        """The account, if the password is right. This attempt is already counted."""
        try:
            account = await self._accounts.find(guess.name)
            matches = await self._passwords.matches(account.hash if account else None, password)
        except BaseException:
            await self._guesses.take_back(guess)
            raise
        if not matches or account is None:
            return None
        await self._guesses.succeed(guess)
        return await self._strengthen(account, password)

    async def _strengthen(self, account: Account, password: str) -> Account:
        """The account with a new hash of its password, if the old one was made with weaker parameters."""
        hashed = await self._passwords.stronger_hash(account.hash, password)
        if hashed is None:
            return account
        stronger = replace(account, hash=hashed)
        try:
            if await self._accounts.change(account, stronger):
                return stronger
        except OSError as error:
            _log.info("The password of %r keeps its old hash: %s", account.name, error)
            return account
        now = await self._accounts.find(account.name)  # another login was faster, or the password has changed
        return now if now is not None and await self._passwords.matches(now.hash, password) else account

    def _ask_to_wait(self, request: Request, next: str, name: str, wait_s: float) -> Response:  # noqa: A002
        seconds = math.ceil(wait_s)
        words = f"Too many attempts. Please wait {_duration(seconds)}, then try again."
        return self._form(request, next, name, words, 429, {"Retry-After": str(seconds)})

    def _form(self, request: Request, next: str, name: str = "", problem: str = "",  # noqa: A002
              status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        token = self._csrf.token(request)
        names = {"token": masked(token), "next": next, "name": name, "problem": problem}
        response = page("login.html", names, status, headers=headers)
        self._csrf.keep(response, request, token)
        return response


def _stamp(account: Account) -> str:
    """Differs for each password, so that a new password ends the user's logins."""
    return hashlib.sha256(account.hash.encode()).hexdigest()[:16]


def _duration(seconds: int) -> str:
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
