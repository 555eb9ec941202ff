"""Functions and endpoints written for Starlette, with ``request.session`` kept in a signed cookie."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from .calls import Calls

Captured = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

COOKIE = "hotshoe_session"


class Sessions:
    """Runs what takes a ``Request``."""

    def __init__(self, secret: str, lifetime_s: int) -> None:
        self._secret = secret
        self._lifetime_s = lifetime_s

    async def ask(self, calls: Calls, function: Callable[..., Any], connection: HTTPConnection) -> Any:
        """What a function of a request gives. A websocket's handshake is a request too."""
        scheme = "https" if _is_safe(connection.scope) else "http"
        scope = {**connection.scope, "type": "http", "method": "GET", "scheme": scheme, "state": {}}
        found: list[Any] = []

        async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            found.append(await calls.run(function, Request(scope)))

        await self._with_session(app, scope)(scope, _nothing, _nothing)
        return found[0]

    async def respond(self, calls: Calls, app: Captured, request: Request) -> Response:
        """What an endpoint answers, whole: only then it is known to be one."""
        scope = dict(request.scope)
        head: dict[str, Any] = {}
        body = bytearray()

        async def keep(event: MutableMapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                head.update(event)
            elif event["type"] == "http.response.body":
                body.extend(event.get("body", b""))

        await calls.run(self._with_session(app, scope), scope, request.receive, keep)
        if not head:
            raise RuntimeError("the endpoint has not answered")
        response = Response(bytes(body), head["status"])
        response.raw_headers = [(name.lower(), value) for name, value in head.get("headers", ())]
        return response

    def _with_session(self, app: Captured, scope: MutableMapping[str, Any]) -> Captured:
        try:
            from starlette.middleware.sessions import SessionMiddleware
        except ImportError:  # itsdangerous is missing: request.session says so itself
            return app
        middleware = SessionMiddleware(app, self._secret, session_cookie=COOKIE, max_age=self._lifetime_s,
                                       https_only=_is_safe(scope))

        async def run(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await middleware(scope, receive, send)

        return run


def _is_safe(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("scheme") in ("https", "wss")


async def _nothing(*event: Any) -> Any:
    raise RuntimeError("whether somebody is known can't depend on what follows the request's head")
