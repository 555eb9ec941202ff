"""Who is it, and may they: the one question that pages, scripts, files and websockets ask before they are answered.

With a provider of users, nothing of an app is given to who is not known to it; without one, the user of an outer
framework counts where rules ask for users.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from .. import log_fields
from ..auth.access import Access
from ..auth.identity import user_from
from ..auth.module import COOKIES
from ..auth.provider import Provider
from ..auth.redirects import base_of
from ..auth.user import User
from ..errors import AccessError, ConfigError, LoginError, RequestError
from ..hosts.host import AppInfo
from .admission import Inquiry
from .answers import Receive, Scope, Send
from .requests import LOGOUT_URL
from .routes import Kind, Route, Routes, normalized_prefix, to_app

_log = logging.getLogger(__name__)

GUARDED = frozenset({Kind.PAGE, Kind.METADATA, Kind.SOCKET, Kind.SOURCE, Kind.APP_STATIC, Kind.THUMBNAIL})
"""What is asked for here; autoload.js asks itself, since it tells the refusal to the page that embeds it."""
VISITED = frozenset({Kind.PAGE, Kind.SOURCE, Kind.INDEX})
"""What people open, and are sent from to where they log in."""
_UNFIT = re.compile(rb"[\r\n\0]")
NOT_ANY_MORE = "You are not logged in any more. Load this page again to log in."
_NOT_IN = "You are not logged in at this server. Log in there, then load this page again."


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom the index greets; ``login`` and ``logout`` are references from there."""

    name: str = ""
    login: str | None = None
    logout: str | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """An answer of a provider's own page."""

    response: Response

    async def send(self, scope: Scope, send: Send) -> None:
        """Send it."""
        await self.response(scope, _no_receive, send)


class Gatekeeper:
    """Guards one front."""

    def __init__(self, provider: Provider | None, access: Access, *, prefix: str = "", max_body: int = 0,
                 inquiry: Inquiry | None = None) -> None:
        self._provider = provider
        self._inquiry = inquiry
        self._access = access
        self._max_body = max_body
        self._prefix = normalized_prefix(prefix)

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything."""
        return self._provider is None and self._inquiry is None and not self._access.restricts

    @property
    def pages(self) -> frozenset[str]:
        """The paths of the provider's own pages, below the prefix."""
        return frozenset() if self._provider is None else frozenset(self._provider.endpoints)

    def check_pages(self, routes: Routes) -> None:
        """Raise ``ConfigError`` if an app, or what every server has, stands where a page of the provider shall be."""
        for path in sorted(self.pages):
            kind = routes.resolve(self._prefix + path).kind
            if kind is Kind.PAGE:
                raise ConfigError(f"The app at {path} is in the way of the page for logging in or out at the same "
                                  "address; give the app another name")
            if kind is not Kind.NOTHING:
                raise ConfigError(f"The page for logging in or out can't be at {path}: something else of the server "
                                  "is there; give it another path")

    async def start(self) -> None:
        """Start the provider."""
        if self._provider is not None:
            await self._provider.start()

    async def stop(self) -> None:
        """Stop the provider."""
        self._access.stop()
        if self._provider is not None:
            await self._provider.stop()

    # -- the question

    async def enter(self, scope: Scope, route: Route) -> Scope:
        """The scope with its user, if that may have what is at ``route``. Raises ``LoginError``, ``AccessError``.

        Raises ``SiteAnswer`` if the site around the app answers in its place; and what the provider or the site raises,
        too: whoever can't be told is not let in.
        """
        if self.is_open:
            return scope
        if self._inquiry is not None:
            scope = await self._inquiry.enter(scope, route)
        user = await self.user_of(scope)
        if self._provider is not None:
            scope = {**scope, "user": user, LOGOUT_URL: self._logout_url(scope)}
        if user is not None:
            log_fields.note(user=user.name)
        if route.app is None or self._access.is_public(route.app.url):
            return scope
        if self._provider is None and not self._access.restricts:
            return scope  # the site has let them in
        if user is None:
            raise LoginError(_NOT_IN, await self._login_place(scope, route))
        if not await self._access.admits(user, route.app.url):
            _log.warning("User %r may not open %s", user.name, route.app.url)
            raise AccessError(f"You are logged in as {user.name}, who may not open this app.",
                              self._logout_link(scope, route))
        return scope

    async def user_of(self, scope: Scope) -> User | None:
        """Who sent the request, or opens the websocket."""
        if self._provider is None:
            return user_from(scope.get("user"))
        return await self._provider.user_of(HTTPConnection(scope))

    async def visible(self, scope: Scope, route: Route, apps: Iterable[AppInfo]) -> tuple[list[AppInfo], Visitor]:
        """Those of ``apps`` that the visitor may open, and who it is. Raises ``LoginError`` or ``AccessError``."""
        apps = list(apps)
        if self.is_open:
            return apps, Visitor()
        user = await self.user_of(scope)
        found = [app for app in apps if await self._may_see(user, app.url)]
        if user is None:
            place = await self._login_place(scope, route)
            if not found:
                raise LoginError(_NOT_IN, place)
            return found, Visitor(login=place)
        logout = self._logout_link(scope, route)
        if apps and not found:
            raise AccessError(f"You are logged in as {user.name}, who may not open any app here.", logout)
        return found, Visitor(user.name, logout=logout)

    async def _may_see(self, user: User | None, app: str) -> bool:
        return self._access.is_public(app) or (user is not None and await self._access.admits(user, app))

    async def has_ended(self, scope: Scope) -> bool:
        """Whether the login with which a websocket was opened has ended; asked when its user has logged out."""
        if getattr(self._provider, "logs_out_everywhere", False):
            return True
        return await self.user_of(scope) is None

    async def refusal(self, scope: Scope, app: AppInfo | None = None) -> str | None:
        """Why a page that was open gets no websocket any more, as far as its visitor is the reason."""
        if self._inquiry is not None:
            try:
                await self._inquiry.enter(scope, Route(Kind.SOCKET, app))
            except LoginError:
                return NOT_ANY_MORE
            except RequestError as error:
                return error.detail
        if self._provider is None or await self.user_of(scope) is not None:
            return None
        return NOT_ANY_MORE

    # -- the provider's own pages

    async def respond(self, scope: Scope, route: Route, *, receive: Receive) -> Foreign:
        """What a page of the provider answers."""
        assert self._provider is not None
        response = await self._provider.endpoints[route.rest](Request(scope, self._limited(receive)))
        if any(_UNFIT.search(part) for pair in response.raw_headers for part in pair):
            raise ValueError(f"the page at {route.rest} answered with a header that has a line break in it")
        response.headers.setdefault("cache-control", "no-store")
        response.headers.setdefault("x-content-type-options", "nosniff")
        return Foreign(response)

    def _limited(self, receive: Receive) -> Receive:
        """For servers around an ASGI mount that take bodies of any size."""
        taken = 0

        async def receive_limited() -> Any:
            nonlocal taken
            event = await receive()
            taken += len(event.get("body", b""))
            if 0 < self._max_body < taken:
                raise RequestError("The form is too large", status=413)
            return event

        return receive_limited

    async def _login_place(self, scope: Scope, route: Route) -> str | None:
        if self._provider is None:
            return None
        place = await self._provider.login_path(HTTPConnection(_back(scope, route)))
        return None if place is None else _reference(place, scope, route)

    def _logout_url(self, scope: Scope) -> str | None:
        assert self._provider is not None
        path = self._provider.logout_path
        if path is None or not path.startswith("/"):
            return path
        return path if path.startswith("//") else base_of(scope, self._prefix) + path

    def _logout_link(self, scope: Scope, route: Route) -> str | None:
        if self._provider is None or (path := self._provider.logout_path) is None:
            return None
        return _reference(path, scope, route)

    def dressed(self, scope: Scope, send: Send, *, private: bool) -> tuple[Scope, Send]:
        """Both for an answer that may bring cookies of the provider; a ``private`` one is for no cache that is shared.
        """
        if self.is_open:
            return scope, send
        cookies: list[str] = []
        return {**scope, COOKIES: cookies}, _dressed(cookies, send, private)


def _dressed(cookies: list[str], send: Send, private: bool) -> Send:
    async def send_dressed(event: Any) -> None:
        if event["type"] == "http.response.start":
            headers = [(name, _private(value) if private and name == b"cache-control" else value)
                       for name, value in event.get("headers", ())]
            made = (value.encode("latin-1", "replace") for value in cookies)
            headers += [(b"set-cookie", value) for value in made if not _UNFIT.search(value)]
            event = {**event, "headers": headers}
        await send(event)

    return send_dressed


def _private(value: bytes) -> bytes:
    parts = [part.strip() for part in value.split(b",")]
    return b", ".join([b"private", *(part for part in parts if part not in (b"public", b"private"))])


def _back(scope: Scope, route: Route) -> Scope:
    """What to come back to: of a script that embeds an app, the app's page."""
    if route.kind is not Kind.AUTOLOAD:
        return scope
    path = scope["path"].rstrip("/").removesuffix("/autoload.js")
    return {**scope, "path": path or "/", "raw_path": None, "query_string": b""}


def _reference(place: str, scope: Mapping[str, Any], route: Route) -> str:
    """A path below the prefix as a relative reference, so that it holds behind any proxy; a URL as it is."""
    place = _UNFIT.sub(b"", place.encode("utf-8", "replace")).decode()
    if not place.startswith("/") or place.startswith("//"):
        return quote(place, safe="/:?#[]@!$&'()*+,;=%~")
    place = quote(place, safe="/:?#@!$&'()*+,;=%~")
    return to_app(scope["path"], place) if route.up is None else route.up + place.lstrip("/")


async def _no_receive() -> Any:
    raise RuntimeError("the request has been read")
