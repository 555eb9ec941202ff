"""``--auth oidc``: users log in at a provider, which redirects them back here with a code."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ...base.errors import ConfigError, RequestError
from ...base.logs import PacedLog
from ...base.shared import Shared
from ...base.users import User
from ...http.paths import login_with_next, next_of, reference_beside, url_beside, wanted
from ..fetching import Fetcher
from ..identity import without_extras
from ..login.forms import CsrfProtection
from ..login.logins import Logins
from ..login.logout import Logout
from ..login.pages import CALLBACK, LOGIN, LOGOUT, notice, redirect, redirect_back, redirect_without_slash, wrong_method
from ..login.sealing import Seal
from ..provider import Endpoint, OnLogout, ignore_logout
from .openid import Attempt, Peer

_log = logging.getLogger(__name__)
_paced_log = PacedLog(_log)

_LIFETIME_S = 600
_MOST_ATTEMPTS = 5
_STATE = re.compile(r"[A-Za-z0-9_-]{32}")
_TAG = 8
_LONGEST_REASON = 300


class OidcLogin:
    """Redirects to the peer, and accepts its answer only from the browser that this login sent there.

    Each login attempt has a sealed cookie of its own, so that several tabs do not disturb each other.
    """

    logout_path = LOGOUT

    def __init__(self, peer: Peer, fetcher: Fetcher, *, keys: Sequence[bytes], lifetime_s: int, purpose: str,
                 shared: Shared, prefix: str = "", domains: Sequence[str] = (), redirect_url: str | None = None,
                 on_logout: OnLogout = ignore_logout, clock: Callable[[], float] = time.time) -> None:
        self._peer = peer
        self._fetcher = fetcher
        self._logins = Logins(keys, purpose, lifetime_s=lifetime_s, shared=shared, clock=clock)
        self._attempts = Seal(keys, f"attempt {purpose}")
        self._logout = Logout(self._logins, CsrfProtection(keys), on_logout, peer.logout_url)
        self._on_logout = on_logout
        self._prefix = prefix
        self._domains = frozenset(domain.lower().removeprefix("@") for domain in domains)
        self._redirect_url = redirect_url
        self._clock = clock

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The pages to log in and out, and the page to which the peer redirects users."""
        return {LOGIN: self._login, CALLBACK: self._callback, LOGOUT: self._logout.respond}

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user as of the login. The domain is checked again: since then it may have been removed from the list."""
        login = await self._logins.find(connection)
        return login.user if login and self._is_of_domain(login.user) else None

    async def login_path(self, connection: HTTPConnection) -> str:
        """The login page, with the way back in its query."""
        return login_with_next(LOGIN, wanted(connection, self._prefix))

    async def start(self) -> None:
        """Check that the peer fits the settings. If it does not answer now, logins work once it does."""
        try:
            await self._peer.prepare()
        except RequestError:
            _log.warning("No user can log in until the login provider can be reached")

    async def stop(self) -> None:
        """Close the connections to the peer."""
        await self._fetcher.close()

    async def _login(self, request: Request) -> Response:
        if (response := redirect_without_slash(request, LOGIN)) is not None:
            return response
        if request.method not in ("GET", "HEAD"):
            return wrong_method("GET", "HEAD")
        next = next_of(request.query_params.get("next"))  # noqa: A001
        if await self.user_of(request) is not None:
            return redirect_back(next)
        attempt = Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48),
                          self._redirect_url or url_beside(request, CALLBACK.removeprefix("/")))
        return await self._or_notice(self._start_attempt(request, attempt, next), next)

    async def _start_attempt(self, request: Request, attempt: Attempt, next: str) -> Response:  # noqa: A002
        response = redirect(await self._peer.authorization_url(attempt))
        others = self._attempts.suffixes(request)
        for suffix in others[:max(0, len(others) - _MOST_ATTEMPTS + 1)]:
            self._attempts.forget_cookies(response, request, suffix)
        value = {"s": attempt.state, "n": attempt.nonce, "v": attempt.verifier, "r": attempt.redirect_url, "to": next,
                 "x": self._clock() + _LIFETIME_S}
        self._attempts.set_cookie(response, request, value, lifetime_s=_LIFETIME_S, suffix=_suffix(attempt.state))
        return response

    async def _callback(self, request: Request) -> Response:
        if request.method != "GET":
            return wrong_method("GET")
        state = request.query_params.get("state", "")
        found = self._find_attempt(request, state)
        if found is None:
            return await self._respond_without_attempt(request)
        attempt, next = found  # noqa: A001
        response = await self._or_notice(self._finish_attempt(request, attempt, next), next)
        self._attempts.forget_cookies(response, request, _suffix(state))
        return response

    async def _finish_attempt(self, request: Request, attempt: Attempt, next: str) -> Response:  # noqa: A002
        query = request.query_params
        if "error" in query:
            raise self._log_refusal(query["error"], query.get("error_description", ""))
        if self._peer.issuer is not None and query.get("iss", self._peer.issuer) != self._peer.issuer:
            raise RequestError("This answer comes from another login provider than the one that was asked.")  # RFC 9207
        code = query.get("code", "")
        if not code:
            raise RequestError("The login provider sent no code.")
        user = await self._peer.user(code, attempt)
        if user is None:
            _paced_log.error("The login provider sent no usable name; --user-claim chooses the claim to use")
            raise RequestError("The login provider did not say who you are, or has not verified your e-mail address.",
                               status=403)
        self._check_domain(user)
        return await self._log_in(request, user, next)

    async def _log_in(self, request: Request, user: User, next: str) -> Response:  # noqa: A002
        response = redirect_back(next)
        for kept in (user, without_extras(user)):
            try:
                ended = await self._logins.begin(response, request, kept)
            except ValueError:
                continue
            for former in ended:
                await self._on_logout(former)
            _log.info("User %r has logged in", user.name)
            return response
        _paced_log.error("User %r has %d groups, too many for a cookie; let the provider send fewer", user.name,
                         len(user.groups))
        raise RequestError("You are in more groups than fit into a login cookie.", status=403)

    def _is_of_domain(self, user: User) -> bool:
        # A login may also come from another server with the same key, which has another list.
        return not self._domains or user.email.rpartition("@")[2].lower() in self._domains

    def _check_domain(self, user: User) -> None:
        if not self._is_of_domain(user):
            _paced_log.warning("User %r was refused: %r is in none of the allowed domains", user.name, user.email)
            raise RequestError("Your e-mail address is not in a domain that may log in here.", status=403)

    def _find_attempt(self, request: Request, state: str) -> tuple[Attempt, str] | None:
        """This browser's attempt with this state, and the page that the user asked for."""
        if not _STATE.fullmatch(state):
            return None
        for value in self._attempts.cookies(request, _suffix(state)):
            if hmac.compare_digest(str(value.get("s")), state) and self._clock() < value.get("x", 0):
                return Attempt(state, value["n"], value["v"], value["r"]), next_of(value["to"])
        return None

    async def _respond_without_attempt(self, request: Request) -> Response:
        if await self.user_of(request) is not None:  # the page was loaded again
            return redirect_back("/")
        return notice(400, "This login has expired, or was started in another browser.",
                      "Please finish it within ten minutes, with cookies allowed.",
                      link=reference_beside(LOGIN), link_text="Log in again")

    def _log_refusal(self, error: str, description: str) -> RequestError:
        _paced_log.warning("The login provider refused a login: %r %r", error[:100], description[:_LONGEST_REASON])
        if error == "access_denied":
            return RequestError("The login provider refused your login.", status=403)
        return RequestError(f"The login provider could not log you in ({error[:100]}).", status=502)

    @staticmethod
    async def _or_notice(response: Awaitable[Response], next: str) -> Response:  # noqa: A002
        """The response; if it fails, a page with the reason."""
        try:
            return await response
        except RequestError as error:
            status, words = error.status, error.detail
        except ConfigError as error:
            _paced_log.error("%s", error)
            status, words = 502, "The login provider is not set up correctly."
        return notice(status, words, link=reference_beside(login_with_next(LOGIN, next)), link_text="Try again")


def _suffix(state: str) -> str:
    return "_" + state[:_TAG]
