"""Authentication and authorization of pages, scripts, files and websockets, in one place.

With a login provider, an unknown user gets nothing of an app. Without one, the rules apply to the user of the framework
around the front.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ...auth.access import Access
from ...auth.identity import user_from
from ...auth.provider import Provider
from ...base import logs
from ...base.errors import AccessError, ConfigError, LoginError, RequestError
from ...base.logs import PacedLog
from ...base.users import User
from ...hosts.host import AppInfo
from ...http.paths import base_of, normalized_prefix, safe_reference
from ...http.scopes import LOGOUT_URL, SET_COOKIES, Receive, Scope, Send
from ..routes import Kind, Route, Routes
from ..site.admission import SiteCheck

_log = PacedLog(logging.getLogger(__name__))

GUARDED = frozenset({Kind.PAGE, Kind.METADATA, Kind.SOCKET, Kind.SOURCE, Kind.APP_STATIC, Kind.THUMBNAIL})
"""The routes that the front checks. autoload.js checks itself, because it shows a refusal in the embedding page."""
VISITED = frozenset({Kind.PAGE, Kind.SOURCE, Kind.INDEX})
"""The routes that people open in a browser; without a login they are redirected to the login page."""
_UNFIT = re.compile(rb"[\r\n\0]")
NOT_ANY_MORE = "You are not logged in any more. Load this page again to log in."
_NOT_LOGGED_IN = "You are not logged in at this server. Log in there, then load this page again."


@dataclass(frozen=True, slots=True)
class Visitor:
    """The user of the index page; ``login`` and ``logout`` are references from that page."""

    name: str = ""
    login: str | None = None
    logout: str | None = None


class Gatekeeper:
    """Asks the provider, the rules and the site around the apps, for one front."""

    def __init__(self, provider: Provider | None, access: Access, *, prefix: str = "", max_body: int = 0,
                 site_check: SiteCheck | None = None) -> None:
        self._provider = provider
        self._site_check = site_check
        self._access = access
        self._max_body = max_body
        self._prefix = normalized_prefix(prefix)
        self.is_open = provider is None and site_check is None and not access.restricts
        """Whether there are no checks at all."""
        self.closed = ""
        """Why nobody may open an app any more; empty if they may."""

    @property
    def asks_site(self) -> bool:
        """Whether the site around the apps is asked who may open them."""
        return self._site_check is not None

    @property
    def pages(self) -> frozenset[str]:
        """The paths of the provider's own pages, below the prefix."""
        return frozenset() if self._provider is None else frozenset(self._provider.endpoints)

    def check_pages(self, routes: Routes) -> None:
        """Raise ``ConfigError`` if the URL of a provider's page is taken by an app or by the server itself."""
        for path in sorted(self.pages):
            kind = routes.resolve(self._prefix + path).kind
            if kind is Kind.PAGE:
                raise ConfigError(f"The app at {path} has the same URL as the login or logout page; give the app "
                                  "another name")
            if kind is not Kind.NOTHING:
                raise ConfigError(f"The login or logout page can't be at {path}: the server uses this URL itself; "
                                  "give the page another path")

    async def start(self) -> None:
        """Start the provider."""
        if self._provider is not None:
            await self._provider.start()

    async def stop(self) -> None:
        """Stop the provider, and the threads of rules and guards."""
        self._access.stop()
        if self._site_check is not None:
            self._site_check.stop()
        if self._provider is not None:
            await self._provider.stop()

    async def enter(self, scope: Scope, route: Route) -> Scope:
        """Check that the user may have what is at ``route``; return the scope with the user.

        Raises ``LoginError``, ``AccessError``, and ``SiteAnswer`` if the site around the app responds in its place. An
        exception of the provider or the site is raised as well: an error lets nobody in.
        """
        scope = scope if self.is_open else await self._enter(scope, route)
        self._check_closed()  # last, as the apps may have been closed meanwhile
        return scope

    def _check_closed(self) -> None:
        if self.closed:
            raise RequestError(self.closed, status=503)

    async def _enter(self, scope: Scope, route: Route) -> Scope:
        if self._site_check is not None:
            scope = await self._site_check.enter(scope, route)
        user = await self.user_of(scope)
        if self._provider is not None:
            scope = {**scope, "user": user, LOGOUT_URL: self._logout_url(scope)}
        if user is not None:
            logs.note(user=user.name)
        if route.app is None or self._access.is_public(route.app.url):
            return scope
        if self._provider is None and not self._access.restricts:
            return scope  # the site has admitted the user
        if user is None:
            raise LoginError(_NOT_LOGGED_IN, await self._login_place(scope, route))
        if not await self._access.admits(user, route.app.url):
            _log.warning("User %r may not open %s", user.name, route.app.url)
            raise AccessError(f"You are logged in as {user.name}. This user may not open this app.",
                              self._logout_link(scope, route))
        return scope

    async def user_of(self, scope: Scope) -> User | None:
        """The user who sent the request or opens the websocket; ``None`` if unknown."""
        if self._provider is None:
            return user_from(scope.get("user"))
        return user_from(await self._provider.user_of(HTTPConnection(scope)),
                         f"{type(self._provider).__name__}.user_of()")

    async def visible(self, scope: Scope, route: Route, apps: Iterable[AppInfo]) -> tuple[list[AppInfo], Visitor]:
        """The apps that the user may open, and the user. Raises ``LoginError`` or ``AccessError`` if there are none."""
        apps = list(apps)
        self._check_closed()
        if self.is_open:
            return apps, Visitor()
        if self._site_check is not None:
            apps = await self._admitted(scope, route, apps)
            if self._provider is None:
                return apps, Visitor()
        user = await self.user_of(scope)
        found = [app for app in apps if await self._may_see(user, app.url)]
        if user is None:
            place = await self._login_place(scope, route)
            if not found:
                raise LoginError(_NOT_LOGGED_IN, place)
            return found, Visitor(login=place)
        logout = self._logout_link(scope, route)
        if apps and not found:
            raise AccessError(f"You are logged in as {user.name}. This user may not open any app here.", logout)
        return found, Visitor(user.name, logout=logout)

    async def _admitted(self, scope: Scope, route: Route, apps: Iterable[AppInfo]) -> list[AppInfo]:
        """The apps that the user may open, as the site or the guard says. Raises its refusal if there are none."""
        found, refusals = [], []
        for app in apps:
            try:
                await self.enter(scope, replace(route, kind=Kind.METADATA, app=app))
                found.append(app)
            except RequestError as refusal:
                refusals.append(refusal)
        if refusals and not found:
            raise refusals[0]
        return found

    async def _may_see(self, user: User | None, app: str) -> bool:
        return self._access.is_public(app) or (user is not None and await self._access.admits(user, app))

    async def has_ended(self, scope: Scope, app: str) -> bool:
        """Whether a websocket of ``app`` may not stay open: its login has ended, or its user may not open the app any
        more. Asked when the user has logged out somewhere, or has changed.
        """
        if getattr(self._provider, "logs_out_everywhere", False):
            return True
        user = await self.user_of(scope)
        return user is None or not await self._may_see(user, app)

    async def refusal(self, scope: Scope, app: AppInfo | None = None) -> str | None:
        """Why the login or the site refuses a new websocket to an open page; ``None`` if they do not."""
        try:
            self._check_closed()
            if self._site_check is not None:
                await self._site_check.enter(scope, Route(Kind.SOCKET, app))
        except LoginError:
            return NOT_ANY_MORE
        except RequestError as error:
            return error.detail
        if self._provider is None or await self.user_of(scope) is not None:
            return None
        return NOT_ANY_MORE

    async def respond(self, scope: Scope, route: Route, *, receive: Receive) -> Response:
        """The response of a provider's own page."""
        assert self._provider is not None
        response = await self._provider.endpoints[route.rest](Request(scope, self._limited(receive)))
        if any(_UNFIT.search(part) for pair in response.raw_headers for part in pair):
            raise ValueError(f"the page at {route.rest} sent a header with a line break")
        response.headers.setdefault("cache-control", "no-store")
        return response

    def _limited(self, receive: Receive) -> Receive:
        """Limit the body's size, for servers around an ASGI mount that have no limit."""
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
        place = await self._provider.login_path(HTTPConnection(_return_scope(scope, route)))
        return None if place is None else safe_reference(place, scope["path"], route.up)

    def _logout_url(self, scope: Scope) -> str | None:
        assert self._provider is not None
        path = self._provider.logout_path
        if path is None or not path.startswith("/"):
            return path
        return path if path.startswith("//") else base_of(scope, self._prefix) + path

    def _logout_link(self, scope: Scope, route: Route) -> str | None:
        if self._provider is None or (path := self._provider.logout_path) is None:
            return None
        return safe_reference(path, scope["path"], route.up)

    def with_cookies(self, scope: Scope, send: Send, *, private: bool) -> tuple[Scope, Send]:
        """Wrap scope and send so that the provider can set cookies. ``private``: shared caches must not store it."""
        if self.is_open:
            return scope, send
        cookies: list[str] = []
        return {**scope, SET_COOKIES: cookies}, _cookie_sender(cookies, send, private)


def _cookie_sender(cookies: list[str], send: Send, private: bool) -> Send:
    async def send_with_cookies(event: Any) -> None:
        if event["type"] == "http.response.start":
            headers = [(name, _private(value) if private and name == b"cache-control" else value)
                       for name, value in event.get("headers", ())]
            made = (value.encode("latin-1", "replace") for value in cookies)
            headers += [(b"set-cookie", value) for value in made if not _UNFIT.search(value)]
            event = {**event, "headers": headers}
        await send(event)

    return send_with_cookies


def _private(value: bytes) -> bytes:
    parts = [part.strip() for part in value.split(b",")]
    return b", ".join([b"private", *(part for part in parts if part not in (b"public", b"private"))])


def _return_scope(scope: Scope, route: Route) -> Scope:
    """The request to return to after a login; for an embedding script, the request of the app's page."""
    if route.kind is not Kind.AUTOLOAD:
        return scope
    path = scope["path"].rstrip("/").removesuffix("/autoload.js")
    return {**scope, "path": path or "/", "raw_path": None, "query_string": b""}
