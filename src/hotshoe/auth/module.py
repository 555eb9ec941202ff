"""Users as an auth module knows them: one written for Tornado's handlers, as bokeh documents it, or for Starlette."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from .calls import Calls
from .hooks import AuthHooks, hooks_of_module, is_path, is_tornado, load_module, takes_request
from .identity import user_from
from .provider import Endpoint
from .redirects import base_of, below, relative, with_next
from .sessions import Captured, Sessions
from .user import User

if TYPE_CHECKING:
    from .tornado_handlers import TornadoSite

COOKIES = "hotshoe.cookies"
"""The key of a scope under which a provider may leave values of ``Set-Cookie`` for the answer, as a list."""

OnLogout = Callable[[User], None]


class ModuleProvider:
    """Knows users by the functions of a module."""

    logs_out_everywhere = True
    """Which of a user's logins has ended is for the module alone to know: all of their websockets are closed."""

    def __init__(self, hooks: AuthHooks, *, name: str = "auth", prefix: str = "", cookie_secret: str = "",
                 xsrf: bool = False, lifetime_s: int = 14 * 86400, on_logout: OnLogout = lambda user: None,
                 calls: Calls | None = None) -> None:
        hooks.check(name)
        self._hooks = hooks
        self._prefix = prefix
        self._xsrf = xsrf
        self._cookie_secret = cookie_secret
        self._on_logout = on_logout
        self._calls = calls or Calls()
        self._sessions = Sessions(cookie_secret, lifetime_s)
        self._known_site: TornadoSite | None = None
        self._endpoints: dict[str, Endpoint] = {}
        if hooks.login_handler is not None:
            self._endpoints[_path(hooks.login_url)] = self._login
        if hooks.logout_handler is not None:
            self._endpoints[_path(hooks.logout_url)] = self._logout

    @classmethod
    def load(cls, path: str, **more: Any) -> ModuleProvider:
        """The provider of a file. Raises ``ConfigError``."""
        file = Path(path)
        return cls(hooks_of_module(load_module(file)), name=f"--auth-module: {path}", **more)

    @property
    def authorize(self) -> Callable[..., Any] | None:
        """The module's function that says whether a user may open an app."""
        return self._hooks.authorize

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The pages to log in and out, where the module has them."""
        return self._endpoints

    @property
    def logout_path(self) -> str | None:
        """The module's ``logout_url``."""
        url = self._hooks.logout_url
        return _slashed(url) if is_path(url) else url

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whom ``get_user`` knows; whatever it gives that is false is nobody."""
        return user_from(await self._ask(self._hooks.who, connection))

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """The module's ``login_url``, or what its ``get_login_url`` gives."""
        if self._hooks.get_login_url is None:
            url = str(self._hooks.login_url)
            return with_next(_slashed(url) if is_path(url) else url, connection)
        url = await self._ask(self._hooks.get_login_url, connection)
        if not url:
            return None
        if is_path(url):  # unlike login_url, it has the prefix; where it has not, it is another server's
            url = below(str(url), connection, base_of(connection.scope, self._prefix))
        return with_next(str(url), connection)

    async def start(self) -> None:
        """Make the threads on which the module's functions run."""
        self._calls.start()

    async def stop(self) -> None:
        """End them."""
        self._calls.stop()

    async def _ask(self, function: Callable[..., Any], connection: HTTPConnection) -> Any:
        if takes_request(function):
            return await self._sessions.ask(self._calls, function, connection)
        value, cookies = await self._site.ask(function, connection)
        connection.scope.get(COOKIES, []).extend(cookies)
        return value

    @property
    def _site(self) -> TornadoSite:
        if self._known_site is None:
            from .tornado_handlers import TornadoSite  # only modules that need it pay for tornado

            login = self._hooks.login_url
            self._known_site = TornadoSite(self._calls, prefix=self._prefix, cookie_secret=self._cookie_secret or None,
                                           xsrf=self._xsrf, login_url=_slashed(login) if is_path(login) else login)
        return self._known_site

    async def _login(self, request: Request) -> Response:
        return await self._respond(self._hooks.login_handler, request)

    async def _logout(self, request: Request) -> Response:
        user = await self.user_of(request)
        response = await self._respond(self._hooks.logout_handler, request)
        # A page that asks whether to log out has not done so yet.
        done = response.status_code < 400 and (
            response.status_code >= 300 or "set-cookie" in response.headers or request.method == "POST")
        if user is not None and done:
            self._on_logout(user)
        return response

    async def _respond(self, handler: Any, request: Request) -> Response:
        if is_tornado(handler):
            response = await self._site.respond(handler, request)
        else:
            response = await self._sessions.respond(self._calls, _app(handler, self._calls), request)
        if location := response.headers.get("location"):
            response.headers["location"] = self._located(location, request)
        return response

    def _located(self, location: str, request: Request) -> str:
        base = base_of(request.scope, self._prefix)
        ours = {_slashed(url) for url in (self._hooks.login_url, self._hooks.logout_url) if url and is_path(url)}
        if not request.scope.get("root_path"):
            ours.add("/")  # nothing else can be there
        if self._prefix and location.partition("?")[0] in ours:
            location = base + location
        return relative(location, request.scope["path"], base)


def _app(handler: Any, calls: Calls) -> Captured:
    if inspect.isclass(handler):
        endpoint: Any = handler

        async def run_class(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await endpoint(scope, receive, send)

        return run_class

    async def run_function(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        response = await calls.unlimited(handler, Request(scope, receive, send))
        if not isinstance(response, Response):
            name = getattr(handler, "__qualname__", handler)
            raise TypeError(f"{name} must return a Starlette Response, not {type(response).__name__}")
        await response(scope, receive, send)

    return run_function


def _path(url: str | None) -> str:
    return _slashed(urlsplit(str(url)).path)


def _slashed(url: str | None) -> str:
    return "/" + str(url).lstrip("/")
