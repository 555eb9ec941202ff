"""``--auth basic``: users with a password in a file of the server."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from argon2 import PasswordHasher
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ..errors import RequestError
from .arrival import visitor_address
from .forms import FormGuard, read_form
from .guessing import Guesses
from .logins import Logins
from .logout import Logout
from .pages import LOGIN, LOGOUT, lead_back, notice, page, without_slash, wrong_method
from .passwords import Passwords
from .provider import Endpoint
from .returning import next_of, wanted, with_next
from .user import User
from .users_file import Account, Accounts, UsersFile

_log = logging.getLogger(__name__)

_WRONG = "The user name or the password is wrong."
_LOOK_EVERY_S = 2.0
_WAIT = {"Retry-After": "5"}


class BasicLogin:
    """A provider: a page asks for name and password."""

    def __init__(self, users_file: Path, *, keys: Sequence[bytes], lifetime_s: int, prefix: str = "",
                 on_logout: Callable[[User], None] = lambda user: None, guesses: Guesses | None = None,
                 hasher: PasswordHasher | None = None) -> None:
        self._users = UsersFile(users_file)
        self._users.check()
        self._logins = Logins(keys, "basic", lifetime_s=lifetime_s)
        self._guard = FormGuard(keys)
        self._logout = Logout(self._logins, self._guard, on_logout)
        self._on_logout = on_logout
        self._prefix = prefix
        self._watching: asyncio.Task[None] | None = None
        self._guesses = guesses or Guesses()
        self._hasher = hasher
        self._passwords = Passwords(hasher)

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The pages to log in and out."""
        return {LOGIN: self._login, LOGOUT: self._logout.answer}

    @property
    def logout_path(self) -> str:
        """The page to log out."""
        return LOGOUT

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user, as the file has them now: another password, or no account any more, ends the login."""
        login = self._logins.find(connection)
        account = self._users.find(login.user.name) if login is not None else None
        if login is None or account is None or _stamp(account) != login.stamp:
            return None
        return _user(account)

    async def login_path(self, connection: HTTPConnection) -> str:
        """The page to log in, which leads back."""
        return with_next(LOGIN, wanted(connection, self._prefix))

    async def start(self) -> None:
        """From now on, see who is taken out of the file."""
        self._watching = asyncio.create_task(self._watch(dict(self._users.accounts)))
        if not self._users.accounts:
            _log.warning("Nobody can log in: the users file has no users yet; hotshoe user add makes one")

    async def stop(self) -> None:
        """Passwords that wait are not checked any more."""
        if self._watching is not None:
            self._watching.cancel()
        self._passwords.close()
        self._passwords = Passwords(self._hasher)

    async def _watch(self, before: Accounts) -> None:
        """Tell of those whose logins have ended because the file has changed: they may have websockets."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = self._users.accounts
            for name, account in before.items():
                if name not in now or now[name].hash != account.hash:
                    self._on_logout(_user(account))
            before = dict(now)

    async def _login(self, request: Request) -> Response:
        if (redirect := without_slash(request, LOGIN)) is not None:
            return redirect
        match request.method:
            case "GET" | "HEAD":
                next = next_of(request.query_params.get("next"))  # noqa: A001
                if await self.user_of(request) is not None:
                    return lead_back(next)
                return self._form(request, next)
            case "POST":
                return await self._sent(request)
        return wrong_method("GET", "HEAD", "POST")

    async def _sent(self, request: Request) -> Response:
        try:
            form = await read_form(request)
        except RequestError as error:
            return notice(error.status, error.detail, link="." + LOGIN, link_text="Log in")
        next = next_of(form.get("next"))  # noqa: A001
        name = form.get("name", "").strip()[:200]
        if (problem := self._guard.problem(request, form)) is not None:
            return self._form(request, next, name, problem, 403)
        address = visitor_address(request)
        if wait_s := self._guesses.wait_s(name, address):
            return self._wait(request, next, name, wait_s)
        try:
            account = await self._checked(name, form.get("password", ""), address)
        except RequestError as error:
            return self._form(request, next, name, error.detail, error.status, _WAIT)
        if account is None:
            _log.warning("A login as %r from %s failed", name, address or "an unknown address")
            return self._form(request, next, name, _WRONG, 401)
        _log.info("User %r has logged in", account.name)
        response = lead_back(next)
        for former in self._logins.begin(response, request, User(account.name), _stamp(account)):
            self._on_logout(former)
        return response

    async def _checked(self, name: str, password: str, address: str | None) -> Account | None:
        """The account, if the password is right."""
        account = self._users.find(name)
        self._guesses.count(name, address)
        try:
            matches = await self._passwords.matches(account.hash if account else None, password)
        except BaseException:
            self._guesses.was_none(name, address)
            raise
        if not matches or account is None:
            return None
        self._guesses.succeeded(name, address)
        return await self._renewed(account, password)

    async def _renewed(self, account: Account, password: str) -> Account:
        """The account with a hash of today's strength."""
        hashed = await self._passwords.renewed(account.hash, password)
        if hashed is None:
            return account
        try:
            await asyncio.to_thread(self._write, account, hashed)
        except OSError as error:
            _log.info("The password of %r stays hashed as it was: %s", account.name, error)
        return self._users.find(account.name) or account

    def _write(self, account: Account, hashed: str) -> None:
        with self._users.change() as accounts:
            now = accounts.get(account.name)
            if now is not None and now.hash == account.hash:
                accounts[now.name] = Account(now.name, hashed, now.email, now.groups)

    def _wait(self, request: Request, next: str, name: str, wait_s: float) -> Response:  # noqa: A002
        seconds = math.ceil(wait_s)
        words = f"Too many attempts. Please wait {_duration(seconds)}, then try again."
        return self._form(request, next, name, words, 429, {"Retry-After": str(seconds)})

    def _form(self, request: Request, next: str, name: str = "", problem: str = "",  # noqa: A002
              status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        token = self._guard.token(request)
        names = {"token": token, "next": next, "name": name, "problem": problem}
        response = page("login.html", names, status, headers=headers)
        self._guard.keep(response, request, token)
        return response


def _user(account: Account) -> User:
    return User(account.name, account.email, account.groups)


def _stamp(account: Account) -> str:
    return hashlib.sha256(account.hash.encode()).hexdigest()[:16]


def _duration(seconds: int) -> str:
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
