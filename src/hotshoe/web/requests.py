"""From an ASGI scope to the request that apps and hooks see. Plain data; no I/O."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import cookie_parser

from ..apps.request import Request
from ..loopback import is_loopback
from .proxies import client_is_known

Scope = Mapping[str, Any]

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_NOT_OF_SCRIPTS = frozenset({b"origin", b"forwarded", b"via", b"x-real-ip", b"x-scheme"})
LOGOUT_URL = "hotshoe.logout_url"
"""The key of a scope whose user can log out."""
OWN_COOKIES = "hotshoe_"
"""What the names of the cookies of logins begin with (``auth/sealing.py``)."""
STARTING = "hotshoe-starting"
"""The argument of who asks again for a session that was not there in time (``starting.py``)."""
_SESSION_ARGUMENTS = frozenset({"bokeh-session-id", "bokeh-token", STARTING})


def request_of(scope: Scope) -> Request:
    """The request as apps see it: session arguments and our own cookies removed, header names in ``Title-Case``."""
    headers = _without_own_cookies(headers_of(scope))
    client = scope.get("client")
    arguments = arguments_of(scope.get("query_string", b""))
    return Request(
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        arguments={name: values for name, values in arguments.items() if name not in _SESSION_ARGUMENTS},
        headers=headers,
        cookies=cookie_parser(headers["Cookie"]) if "Cookie" in headers else {},
        remote_ip=client[0] if client else None,
        client_known=client_is_known(scope),
        protocol="https" if scope.get("scheme") in ("https", "wss") else "http",
        host=headers.get("Host", ""),
        root_path=scope.get("root_path", ""),
        user=scope.get("user"),
        session=_session_of(scope),
        logout_url=scope.get(LOGOUT_URL),
    )


def _session_of(scope: Scope) -> dict[str, Any] | None:
    session = scope.get("session")
    return dict(session) if isinstance(session, Mapping) else None


def _without_own_cookies(headers: dict[str, str]) -> dict[str, str]:
    """Whoever has the cookie of a login is logged in: that is between the browser and the front."""
    if OWN_COOKIES in (cookies := headers.get("Cookie", "")):
        others = [pair for pair in cookies.split(";") if not pair.strip().startswith(OWN_COOKIES)]
        headers["Cookie"] = ";".join(others).strip()
        if not others:
            del headers["Cookie"]
    return headers


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers by ``Title-Case`` name; repeated ones are joined by a comma, cookies by a semicolon."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = _title(raw_name)
        value = raw_value.decode("latin-1")
        if name in headers:
            value = f"{headers[name]}{'; ' if name == 'Cookie' else ','}{value}"
        headers[name] = value
    return headers


def _title(name: bytes) -> str:
    return "-".join(word.capitalize() for word in name.decode("latin-1").split("-"))


def header(scope: Scope, name: bytes) -> str | None:
    """One header by its lower-case name, without building the whole mapping; the last one wins."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return None if found is None else found.decode("latin-1")


def request_id(scope: Scope) -> str:
    """The id that a proxy has given the request in ``X-Request-ID``, if it can stand in a log, else a new one."""
    given = header(scope, b"x-request-id") or ""
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def arguments_of(query_string: bytes) -> dict[str, list[bytes]]:
    """The query's arguments as lists of bytes, blank values kept."""
    arguments: dict[str, list[bytes]] = {}
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    for name, value in pairs:
        arguments.setdefault(_utf8(name), []).append(value.encode("latin-1"))
    return arguments


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def last(arguments: Mapping[str, Iterable[bytes]], name: str) -> str | None:
    """The last value of an argument as text, or ``None``."""
    values = list(arguments.get(name, ()))
    return values[-1].decode("utf-8", "replace").strip() if values else None


def is_local_script(scope: Scope) -> bool:
    """Whether a program on this machine asks, as far as can be seen: no browser, and no proxy that says it is one.

    A browser names its origin in every websocket's handshake; a script with ``bokeh.client`` names none.
    """
    client = scope.get("client")
    return client is not None and is_loopback(client[0]) and not any(
        name in _NOT_OF_SCRIPTS or name.startswith(b"x-forwarded") for name, _ in scope["headers"])


def is_browser(scope: Scope) -> bool:
    """Whether a person looks at what comes: programs ask for anything, browsers for a page."""
    return "text/html" in (header(scope, b"accept") or "").lower()


def with_payload(request: Request, payload: Mapping[str, Any]) -> Request:
    """The request with what its token can be believed to bring: the page's arguments, headers and cookies.

    Of headers and cookies, what the request itself carries wins.
    """
    changes: dict[str, Any] = {}
    if (arguments := _mapping_of(payload.get("arguments"), list)) is not None:
        changes["arguments"] = {str(name): _bytes_list(values) for name, values in arguments.items()}
    for name in ("headers", "cookies"):
        if (brought := _mapping_of(payload.get(name), str)) is not None:
            changes[name] = {**brought, **getattr(request, name)}
    return replace(request, **changes) if changes else request


def _mapping_of(value: Any, kind: type) -> Mapping[Any, Any] | None:
    fits = isinstance(value, Mapping) and all(isinstance(each, kind) for each in value.values())
    return value if fits else None


def _bytes_list(values: list[Any]) -> list[bytes]:
    return [each if isinstance(each, bytes) else str(each).encode() for each in values]
