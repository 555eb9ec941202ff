"""Identifies users by an object like bokeh 3.10's ``AuthPolicy``, recognized by its methods and not by its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from types import SimpleNamespace
from typing import Any

from starlette.requests import HTTPConnection

from ...base.users import User
from ...http.paths import base_of, path_or_url, rooted, uri_of
from ...http.requests import arguments_of
from ..calls import Calls
from ..identity import user_from
from ..provider import Endpoint
from .hooks import is_path


def policy_request(connection: HTTPConnection) -> SimpleNamespace:
    """The request that a policy gets, with the attribute names of bokeh's ``ServerRequest``.

    It is made from an HTTP connection or a websocket's handshake. Each cookie is an object with a ``value``.
    """
    scope = connection.scope
    query = scope.get("query_string", b"")
    return SimpleNamespace(
        method=scope.get("method", "GET"),
        uri=uri_of(scope),
        path=scope["path"],
        arguments=arguments_of(query),
        headers=connection.headers,
        cookies=_cookies(connection),
        remote_ip=connection.client.host if connection.client else None,
        protocol="https" if scope.get("scheme") in ("https", "wss") else "http",
        host=connection.headers.get("host", ""),
        query=query.decode("latin-1"),
        root_path=scope.get("root_path", ""),
        user=scope.get("user"),
        state=scope.get("state") or {},
    )


def is_policy(value: Any) -> bool:
    """Whether it has an ``authenticate`` method, as an ``AuthPolicy`` has."""
    return callable(getattr(value, "authenticate", None)) and not inspect.isclass(value)


class PolicyProvider:
    """Identifies users by a policy. It has no pages of its own."""

    endpoints: Mapping[str, Endpoint] = {}

    def __init__(self, policy: Any, *, prefix: str = "", calls: Calls | None = None) -> None:
        self._policy = policy
        self._prefix = prefix
        self._calls = calls or Calls()

    @property
    def logout_path(self) -> str | None:
        """The policy's ``logout_url``."""
        url = getattr(self._policy, "logout_url", None)
        return rooted(str(url)) if url and is_path(url) else url

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """The user from ``authenticate``."""
        return user_from(await self._calls.run(self._policy.authenticate, policy_request(connection)),
                         f"{type(self._policy).__name__}.authenticate()")

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """The policy's login URL. The server's prefix is not added to it."""
        ask = getattr(self._policy, "get_login_url_async", None) or getattr(self._policy, "get_login_url", None)
        url = await self._calls.run(ask, policy_request(connection)) if callable(ask) else None
        if not url or not is_path(url):
            return url or None
        return path_or_url(str(url), connection, base_of(connection.scope, self._prefix))

    async def start(self) -> None:
        """Make the threads on which the policy's methods run."""
        self._calls.start()

    async def stop(self) -> None:
        """End the threads."""
        self._calls.stop()


def _cookies(connection: HTTPConnection) -> dict[str, Any]:
    jar: SimpleCookie = SimpleCookie()
    for name, value in connection.cookies.items():
        try:
            jar[name] = value
        except CookieError:
            continue  # http.cookies refuses some names that browsers send
    return dict(jar)
