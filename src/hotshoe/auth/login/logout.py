"""The page that logs a user out.

Stock's ``logout_url`` is a link, so a GET must log out; but an image tag on another site must not. So a GET logs out if
the browser says that the user followed a link on this server. Otherwise, as with old browsers, the page asks first.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ...base.errors import RequestError
from ...base.users import User
from ...http.paths import reference_beside
from ..provider import OnLogout
from .forms import CsrfProtection, masked, read_form
from .logins import Logins
from .pages import LOGIN, LOGOUT, notice, page, redirect, redirect_without_slash, wrong_method

_log = logging.getLogger(__name__)

ProviderLogout = Callable[[], Awaitable[str | None]]
"""The URL of the page that logs out at the login provider, too; ``None`` if it has none."""


async def no_provider() -> str | None:
    """For logins of this server alone."""
    return None


class Logout:
    """The logout page of one provider; ``respond`` is its endpoint."""

    def __init__(self, logins: Logins, csrf: CsrfProtection, on_logout: OnLogout,
                 provider_logout: ProviderLogout = no_provider) -> None:
        self._logins = logins
        self._csrf = csrf
        self._on_logout = on_logout
        self._provider_logout = provider_logout

    async def respond(self, request: Request) -> Response:
        """Log out, or ask first."""
        if (response := redirect_without_slash(request, LOGOUT)) is not None:
            return response
        match request.method:
            case "GET" | "HEAD":
                return await self._get(request)
            case "POST":
                return await self._post(request)
        return wrong_method("GET", "HEAD", "POST")

    async def _get(self, request: Request) -> Response:
        login = await self._logins.find(request)
        if login is None:
            return notice(200, "You are logged out.", link=reference_beside(LOGIN), link_text="Log in")
        if request.method == "GET" and _is_followed_link(request):
            return await self._end(request)
        return await self._ask(request, login.user)

    async def _post(self, request: Request) -> Response:
        login = await self._logins.find(request)
        if login is None:
            return redirect(reference_beside(LOGOUT))
        try:
            problem = self._csrf.problem(request, await read_form(request))
        except RequestError as error:
            return notice(error.status, error.detail)
        if problem is not None:
            return await self._ask(request, login.user, problem)
        return await self._end(request)

    async def _ask(self, request: Request, user: User, problem: str = "") -> Response:
        token = self._csrf.token(request)
        place = await self._provider_logout()
        # Chromium applies form-action to the redirect after a form, too.
        response = page("logout.html", {"user": user.name, "token": masked(token), "problem": problem},
                        403 if problem else 200, form_action=_origin(place) if place else "")
        self._csrf.keep(response, request, token)
        return response

    async def _end(self, request: Request) -> Response:
        response = redirect(await self._provider_logout() or reference_beside(LOGOUT))
        login = await self._logins.end(response, request)
        if login is not None:
            _log.info("User %r has logged out", login.user.name)
            await self._on_logout(login.user)
        return response


def _is_followed_link(request: Request) -> bool:
    headers = request.headers
    return (headers.get("sec-fetch-site") == "same-origin" and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document" and "prefetch" not in headers.get("sec-purpose", ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
