"""The page that logs out.

Stock's ``logout_url`` is a link that is followed, so GET has to do it; but a picture of another site must not. So GET
logs out if the browser says that somebody followed a link of this very server; else, as in old browsers, it asks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ..errors import RequestError
from .forms import FormGuard, read_form
from .logins import Logins
from .pages import LOGIN, LOGOUT, lead_to, notice, page, without_slash, wrong_method
from .returning import reference
from .user import User

_log = logging.getLogger(__name__)

Elsewhere = Callable[[Request], Awaitable[str | None]]


async def nowhere(request: Request) -> str | None:
    """There is nothing else to log out of."""
    return None


class Logout:
    """``answer`` is the endpoint. ``elsewhere`` brings the URL of the page that logs out at the provider too."""

    def __init__(self, logins: Logins, guard: FormGuard, on_logout: Callable[[User], None],
                 elsewhere: Elsewhere = nowhere) -> None:
        self._logins = logins
        self._guard = guard
        self._on_logout = on_logout
        self._elsewhere = elsewhere

    async def answer(self, request: Request) -> Response:
        """Answer a request."""
        if (redirect := without_slash(request, LOGOUT)) is not None:
            return redirect
        match request.method:
            case "GET" | "HEAD":
                return await self._get(request)
            case "POST":
                return await self._post(request)
        return wrong_method("GET", "HEAD", "POST")

    async def _get(self, request: Request) -> Response:
        login = self._logins.find(request)
        if login is None:
            return notice(200, "You are logged out.", link=reference(LOGIN), link_text="Log in")
        if request.method == "GET" and _is_followed_link(request):
            return await self._end(request)
        return await self._ask(request, login.user)

    async def _post(self, request: Request) -> Response:
        login = self._logins.find(request)
        if login is None:
            return lead_to(reference(LOGOUT))
        try:
            problem = self._guard.problem(request, await read_form(request))
        except RequestError as error:
            return notice(error.status, error.detail)
        if problem is not None:
            return await self._ask(request, login.user, problem)
        return await self._end(request)

    async def _ask(self, request: Request, user: User, problem: str = "") -> Response:
        token = self._guard.token(request)
        place = await self._elsewhere(request)
        # Chromium holds the redirect after a form against form-action too.
        response = page("logout.html", {"user": user.name, "token": token, "problem": problem},
                        403 if problem else 200, form_action=_origin(place) if place else "")
        self._guard.keep(response, request, token)
        return response

    async def _end(self, request: Request) -> Response:
        response = lead_to(await self._elsewhere(request) or reference(LOGOUT))
        login = self._logins.end(response, request)
        if login is not None:
            _log.info("User %r has logged out", login.user.name)
            self._on_logout(login.user)
        return response


def _is_followed_link(request: Request) -> bool:
    headers = request.headers
    return (headers.get("sec-fetch-site") == "same-origin" and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document" and "prefetch" not in headers.get("sec-purpose", ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
