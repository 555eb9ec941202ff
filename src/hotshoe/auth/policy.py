"""Users as an object like bokeh 3.10's ``AuthPolicy`` knows them: by what it can do, never by its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from .calls import Calls
from .hooks import is_path
from .identity import user_from
from .provider import Endpoint
from .redirects import base_of, below, uri_of
from .user import User


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """The request as a policy reads it, with the names of bokeh's ``ServerRequest``."""

    method: str
    uri: str
    path: str
    arguments: Mapping[str, list[bytes]]
    headers: Mapping[str, str]
    cookies: Mapping[str, Any]
    """Each with a ``value``."""
    remote_ip: str | None
    protocol: str
    host: str
    query: str
    root_path: str
    user: Any
    state: Mapping[str, Any]

    @classmethod
    def of(cls, connection: HTTPConnection) -> PolicyRequest:
        """The request of an HTTP connection or a websocket's handshake."""
        scope = connection.scope
        query = scope.get("query_string", b"").decode("latin-1")
        client = scope.get("client")
        return cls(
            method=scope.get("method", "GET"),
            uri=uri_of(scope),
            path=scope["path"],
            arguments=_arguments(query),
            headers=Headers(raw=scope["headers"]),
            cookies=_cookies(connection),
            remote_ip=client[0] if client else None,
            protocol="https" if scope.get("scheme") in ("https", "wss") else "http",
            host=connection.headers.get("host", ""),
            query=query,
            root_path=scope.get("root_path", ""),
            user=scope.get("user"),
            state=scope.get("state") or {},
        )


def is_policy(value: Any) -> bool:
    """Whether it can say who somebody is, as an ``AuthPolicy`` can."""
    return callable(getattr(value, "authenticate", None)) and not inspect.isclass(value)


class PolicyProvider:
    """Knows users by a policy. It has no pages of its own."""

    def __init__(self, policy: Any, *, prefix: str = "", calls: Calls | None = None) -> None:
        self._policy = policy
        self._prefix = prefix
        self._calls = calls or Calls()

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """None."""
        return {}

    @property
    def logout_path(self) -> str | None:
        """The policy's ``logout_url``."""
        url = getattr(self._policy, "logout_url", None)
        return "/" + str(url).lstrip("/") if url and is_path(url) else url

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whom the policy knows."""
        return user_from(await self._calls.run(self._policy.authenticate, PolicyRequest.of(connection)))

    async def login_path(self, connection: HTTPConnection) -> str | None:
        """Where the policy sends visitors, which is not below the prefix unless it says so."""
        ask = getattr(self._policy, "get_login_url_async", None) or getattr(self._policy, "get_login_url", None)
        url = await self._calls.run(ask, PolicyRequest.of(connection)) if callable(ask) else None
        if not url or not is_path(url):
            return url or None
        return below(str(url), connection, base_of(connection.scope, self._prefix))

    async def start(self) -> None:
        """Make the threads on which its functions run."""
        self._calls.start()

    async def stop(self) -> None:
        """End them."""
        self._calls.stop()


def _arguments(query: str) -> dict[str, list[bytes]]:
    arguments: dict[str, list[bytes]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, encoding="latin-1"):
        arguments.setdefault(name, []).append(value.encode("latin-1"))
    return arguments


def _cookies(connection: HTTPConnection) -> dict[str, Any]:
    jar: SimpleCookie = SimpleCookie()
    for name, value in connection.cookies.items():
        try:
            jar[name] = value
        except CookieError:
            continue  # a name that http.cookies does not like
    return dict(jar)
