"""``--auth-module``: the operator's module identifies users, with Tornado handlers as bokeh documents, or Starlette."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...base.users import User
from ...http.paths import base_of, login_with_tornado_next, path_or_url, reference_within, rooted
from ...http.responses import raw_response
from ...http.scopes import SET_COOKIES
from ..calls import Calls
from ..identity import user_from
from ..provider import Endpoint, OnLogout, ignore_logout
from .hooks import AuthHooks, hooks_of_module, is_path, is_tornado, load_module, takes_request

if TYPE_CHECKING:
    from .tornado_handlers import TornadoSite

COOKIE = "hotshoe_session"


class ModuleProvider:
    """Identifies users by the functions of a module."""

    logs_out_everywhere = True
    """Only the module knows which of a user's logins has ended, so all of the user's websockets are closed."""

    def __init__(self, hooks: AuthHooks, *, name: str = "auth", prefix: str = "", cookie_secret: str = "",
                 xsrf: bool = False, lifetime_s: int = 14 * 86400, on_logout: OnLogout = ignore_logout,
                 calls: Calls | None = None) -> None:
        hooks.check(name)
        self._hooks = hooks
        self._prefix = prefix
        self._xsrf = xsrf
        self._cookie_secret = cookie_secret
        self._on_logout = on_logout
        self._calls = calls or Calls()
        """For ``get_user``."""
        self._page_calls = Calls()
        """For strangers: the pages to log in and out. They have threads apart, so that a flood of logins does not delay
        users who have logged in."""
        self._sessions = Sessions(self._page_calls, cookie_secret, lifetime_s)
        self.endpoints: dict[str, Endpoint] = {}
        """The module's pages to log in and out, if it has any."""
        if hooks.login_handler is not None:
            self.endpoints[_path(hooks.login_url)] = self._login
        if hooks.logout_handler is not None:
            self.endpoints[_path(hooks.logout_url)] = self._logout

    @classmethod
    def load(cls, path: str, **more: Any) -> ModuleProvider:
        """Load the module from a file. Raises ``ConfigError``."""
        file = Path(path)
        return cls(hooks_of_module(load_module(file)), name=f"--auth-module: {path}", **more)

    @property
    def authorize(self) -> Callable[..., Any] | None:
        """The module's function ``authorize``, if it has one."""
        return self._hooks.authorize

    @property
    def logout_path(self) -> str | None:
        """The module's ``logout_url``."""
        url = self._hooks.logout_url
        return rooted(str(url)) if is_path(url) else url

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user from ``get_user``; a false value means that there is none. Whatever is no user is an error."""
        function = self._hooks.user_function
        found = await self._ask(self._calls, function, connection)
        return user_from(found, f"{getattr(function, '__name__', 'get_user')}()")

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """The module's ``login_url``, or the result of its ``get_login_url``."""
        if self._hooks.get_login_url is None:
            url = str(self._hooks.login_url)
            return login_with_tornado_next(rooted(url) if is_path(url) else url, connection)
        url = await self._ask(self._page_calls, self._hooks.get_login_url, connection)
        if not url:
            return None
        if is_path(url):  # unlike login_url, it includes the prefix; without it, it belongs to another server
            url = path_or_url(str(url), connection, base_of(connection.scope, self._prefix))
        return login_with_tornado_next(str(url), connection)

    async def start(self) -> None:
        """Make the threads on which the module's functions run."""
        self._calls.start()
        self._page_calls.start()

    async def stop(self) -> None:
        """End the threads."""
        self._calls.stop()
        self._page_calls.stop()

    async def _ask(self, calls: Calls, function: Callable[..., Any], connection: HTTPConnection) -> Any:
        if takes_request(function):
            return await self._sessions.ask(calls, function, connection)
        value, cookies = await self._site.ask(calls, function, connection)
        connection.scope.get(SET_COOKIES, []).extend(cookies)
        return value

    @cached_property
    def _site(self) -> TornadoSite:
        from .tornado_handlers import TornadoSite  # only modules that need it pay for tornado

        login = self._hooks.login_url
        return TornadoSite(self._page_calls, prefix=self._prefix, cookie_secret=self._cookie_secret or None,
                           xsrf=self._xsrf, login_url=rooted(str(login)) if is_path(login) else login)

    async def _login(self, request: Request) -> Response:
        return await self._respond(self._hooks.login_handler, request)

    async def _logout(self, request: Request) -> Response:
        user = await self.user_of(request)
        response = await self._respond(self._hooks.logout_handler, request)
        # A page that asks whether to log out has not done so yet.
        done = response.status_code < 400 and (
            response.status_code >= 300 or "set-cookie" in response.headers or request.method == "POST")
        if user is not None and done:
            await self._on_logout(user)
        return response

    async def _respond(self, handler: Any, request: Request) -> Response:
        if is_tornado(handler):
            response = await self._site.respond(handler, request)
        else:
            response = await self._sessions.respond(handler, request)
        if location := response.headers.get("location"):
            response.headers["location"] = self._add_prefix(location, request)
        return response

    def _add_prefix(self, location: str, request: Request) -> str:
        base = base_of(request.scope, self._prefix)
        ours = {rooted(str(url)) for url in (self._hooks.login_url, self._hooks.logout_url) if url and is_path(url)}
        if not request.scope.get("root_path"):
            ours.add("/")  # the whole host is ours
        if self._prefix and location.partition("?")[0] in ours:
            location = base + location
        return reference_within(location, request.scope["path"], base)


def _path(url: str | None) -> str:
    return rooted(urlsplit(str(url)).path)


class Sessions:
    """Runs functions and endpoints written for Starlette, with ``request.session`` in a signed cookie."""

    def __init__(self, calls: Calls, secret: str, lifetime_s: int) -> None:
        self._calls = calls
        self._secret = secret
        self._lifetime_s = lifetime_s

    async def ask(self, calls: Calls, function: Callable[..., Any], connection: HTTPConnection) -> Any:
        """Call a function with the request, or with a websocket's handshake as a request, and return its result."""
        scheme = "https" if _is_safe(connection.scope) else "http"
        scope = {**connection.scope, "type": "http", "method": "GET", "scheme": scheme, "state": {}}
        found: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            found.append(await calls.run(function, Request(scope)))

        await self._with_session(app, scope)(scope, _nothing, _nothing)
        return found[0]

    async def respond(self, endpoint: Any, request: Request) -> Response:
        """Run an endpoint, a class or a function, and return its response, once it is complete."""
        scope = dict(request.scope)
        head: Message = {}
        body = bytearray()

        async def keep(event: Message) -> None:
            if event["type"] == "http.response.start":
                head.update(event)
            elif event["type"] == "http.response.body":
                body.extend(event.get("body", b""))

        app: Any = endpoint if inspect.isclass(endpoint) else self._app_of(endpoint)
        await self._calls.run(self._with_session(app, scope), scope, request.receive, keep)
        if not head:
            raise RuntimeError("the endpoint sent no response")
        return raw_response(head["status"], head.get("headers", ()), body)

    def _app_of(self, function: Callable[..., Any]) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = await self._calls.unlimited(function, Request(scope, receive, send))
            if not isinstance(response, Response):
                name = getattr(function, "__qualname__", function)
                raise TypeError(f"{name} must return a Starlette Response, not {type(response).__name__}")
            await response(scope, receive, send)

        return app

    def _with_session(self, app: ASGIApp, scope: Scope) -> ASGIApp:
        try:
            from starlette.middleware.sessions import SessionMiddleware
        except ImportError:  # itsdangerous is missing; request.session then raises an error with the reason
            return app
        return SessionMiddleware(app, self._secret, session_cookie=COOKIE, max_age=self._lifetime_s,
                                 https_only=_is_safe(scope))


def _is_safe(scope: Scope) -> bool:
    return scope.get("scheme") in ("https", "wss")


async def _nothing(*event: Any) -> Any:
    raise RuntimeError("get_user must not read the request's body or send a response")
