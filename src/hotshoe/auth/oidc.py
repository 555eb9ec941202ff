"""``--auth oidc``: users log in at another place, which sends them back with a code."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ..errors import ConfigError, RequestError
from .claims import without_extras
from .fetching import Fetcher
from .forms import FormGuard
from .logins import Logins
from .logout import Logout
from .openid import Attempt, Peer
from .pages import CALLBACK, LOGIN, LOGOUT, lead_back, lead_to, notice, without_slash, wrong_method
from .provider import Endpoint
from .returning import next_of, page_beside, reference, wanted, with_next
from .sealing import Seal
from .user import User

_log = logging.getLogger(__name__)

_LIFETIME_S = 600
_MOST_ATTEMPTS = 5
_STATE = re.compile(r"[A-Za-z0-9_-]{32}")
_TAG = 8
_LONGEST_REASON = 300


class OidcLogin:
    """A provider: it leads to the peer, and believes what comes back if this browser was sent there for it.

    What an attempt needs to know is sealed in a cookie of its own, so that several tabs do not disturb each other.
    """

    def __init__(self, peer: Peer, fetcher: Fetcher, *, keys: Sequence[bytes], lifetime_s: int, purpose: str,
                 prefix: str = "", domains: Sequence[str] = (), redirect_url: str | None = None,
                 on_logout: Callable[[User], None] = lambda user: None, clock: Callable[[], float] = time.time) -> None:
        self._peer = peer
        self._fetcher = fetcher
        self._logins = Logins(keys, purpose, lifetime_s=lifetime_s, clock=clock)
        self._attempts = Seal(keys, f"attempt {purpose}")
        self._logout = Logout(self._logins, FormGuard(keys), on_logout, self._logout_url)
        self._on_logout = on_logout
        self._prefix = prefix
        self._domains = frozenset(domain.lower().removeprefix("@") for domain in domains)
        self._redirect_url = redirect_url
        self._clock = clock

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The pages to log in and out, and where the peer sends users back to."""
        return {LOGIN: self._login, CALLBACK: self._callback, LOGOUT: self._logout.answer}

    @property
    def logout_path(self) -> str:
        """The page to log out."""
        return LOGOUT

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user, as they were when they logged in. The domains may be others by now, or another server's."""
        login = self._logins.find(connection)
        return login.user if login and self._is_of_domain(login.user) else None

    async def login_path(self, connection: HTTPConnection) -> str:
        """The page to log in, which leads back."""
        return with_next(LOGIN, wanted(connection, self._prefix))

    async def start(self) -> None:
        """See whether the peer is what the settings say. One that is down now may be up when somebody logs in."""
        try:
            await self._peer.prepare()
        except RequestError:
            _log.warning("Nobody can log in until the login provider can be reached")

    async def stop(self) -> None:
        """Close the connections to the peer."""
        await self._fetcher.close()

    async def _logout_url(self, request: Request) -> str | None:
        return await self._peer.logout_url()

    # -- to the peer

    async def _login(self, request: Request) -> Response:
        if (redirect := without_slash(request, LOGIN)) is not None:
            return redirect
        if request.method not in ("GET", "HEAD"):
            return wrong_method("GET", "HEAD")
        next = next_of(request.query_params.get("next"))  # noqa: A001
        if await self.user_of(request) is not None:
            return lead_back(next)
        attempt = Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48),
                          self._redirect_url or page_beside(request, CALLBACK.removeprefix("/")))
        try:
            response = lead_to(await self._peer.authorization_url(attempt))
        except RequestError as error:
            return self._failed(error, next)
        except ConfigError as error:
            _log.error("%s", error)
            return self._failed(RequestError("The login provider is not set up rightly.", status=502), next)
        self._remember(response, request, attempt, next)
        return response

    def _remember(self, response: Response, request: Request, attempt: Attempt, next: str) -> None:  # noqa: A002
        others = self._attempts.suffixes(request)
        for suffix in others[:max(0, len(others) - _MOST_ATTEMPTS + 1)]:
            self._attempts.forget_cookies(response, request, suffix)
        value = {"s": attempt.state, "n": attempt.nonce, "v": attempt.verifier, "r": attempt.redirect_url, "to": next,
                 "x": self._clock() + _LIFETIME_S}
        self._attempts.set_cookie(response, request, value, lifetime_s=_LIFETIME_S, suffix=_suffix(attempt.state))

    # -- back from the peer

    async def _callback(self, request: Request) -> Response:
        if request.method != "GET":
            return wrong_method("GET")
        state = request.query_params.get("state", "")
        found = self._attempt(request, state)
        if found is None:
            return await self._unexpected(request)
        attempt, next = found  # noqa: A001
        try:
            response = await self._come_back(request, attempt, next)
        except RequestError as error:
            response = self._failed(error, next)
        except ConfigError as error:
            _log.error("%s", error)
            response = self._failed(RequestError("The login provider is not set up rightly.", status=502), next)
        self._attempts.forget_cookies(response, request, _suffix(state))
        return response

    async def _come_back(self, request: Request, attempt: Attempt, next: str) -> Response:  # noqa: A002
        query = request.query_params
        if "error" in query:
            raise self._refused(query["error"], query.get("error_description", ""))
        if self._peer.issuer is not None and query.get("iss", self._peer.issuer) != self._peer.issuer:
            raise RequestError("This answer is not of the login provider that was asked.")  # RFC 9207
        code = query.get("code", "")
        if not code:
            raise RequestError("The login provider sent no code.")
        user = await self._peer.user(code, attempt)
        if user is None:
            _log.error("The login provider gives a user no name; --user-claim says which claim to take")
            raise RequestError("The login provider did not say who you are, or has not verified your e-mail address.",
                               status=403)
        self._check_domain(user)
        return self._logged_in(request, user, next)

    def _logged_in(self, request: Request, user: User, next: str) -> Response:  # noqa: A002
        response = lead_back(next)
        for kept in (user, without_extras(user)):
            try:
                ended = self._logins.begin(response, request, kept)
            except ValueError:
                continue
            for former in ended:
                self._on_logout(former)
            _log.info("User %r has logged in", user.name)
            return response
        _log.error("User %r has %d groups, too many for a cookie; let the provider send fewer", user.name,
                   len(user.groups))
        raise RequestError("You are in more groups than can be kept.", status=403)

    def _is_of_domain(self, user: User) -> bool:
        return not self._domains or user.email.rpartition("@")[2].lower() in self._domains

    def _check_domain(self, user: User) -> None:
        if not self._is_of_domain(user):
            _log.warning("User %r was refused: %r is in none of the allowed domains", user.name, user.email)
            raise RequestError("Your e-mail address is not one of those that may log in here.", status=403)

    def _attempt(self, request: Request, state: str) -> tuple[Attempt, str] | None:
        """What was begun in this browser with this state, and where it leads back to."""
        if not _STATE.fullmatch(state):
            return None
        for value in self._attempts.cookies(request, _suffix(state)):
            if hmac.compare_digest(str(value.get("s")), state) and self._clock() < value.get("x", 0):
                return Attempt(state, value["n"], value["v"], value["r"]), next_of(value["to"])
        return None

    async def _unexpected(self, request: Request) -> Response:
        if await self.user_of(request) is not None:  # the page was loaded again
            return lead_back("/")
        return notice(400, "This login has expired, or was not begun in this browser.",
                      "It has to be finished within ten minutes, with cookies allowed.",
                      link=reference(LOGIN), link_text="Log in again")

    def _refused(self, error: str, description: str) -> RequestError:
        _log.warning("The login provider refused a login: %r %r", error[:100], description[:_LONGEST_REASON])
        if error == "access_denied":
            return RequestError("You were not let in by the login provider.", status=403)
        return RequestError(f"The login provider could not log you in ({error[:100]}).", status=502)

    def _failed(self, error: RequestError, next: str) -> Response:  # noqa: A002
        return notice(error.status, error.detail, link="." + with_next(LOGIN, next), link_text="Try again")


def _suffix(state: str) -> str:
    return "_" + state[:_TAG]
