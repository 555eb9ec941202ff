"""The request for apps and hooks, made from an ASGI scope: plain data, no I/O."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote

from starlette.requests import HTTPConnection, cookie_parser

from ..base.addresses import is_loopback
from ..base.errors import ConfigError
from ..base.left_out import missing
from ..config import Settings
from .scopes import CLIENT_KNOWN, LOGOUT_URL, OWN_COOKIES, PREFIX_TOLD, TRUSTED_PROXY, Receive

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_NOT_OF_SCRIPTS = frozenset({b"origin", b"forwarded", b"via", b"x-real-ip", b"x-scheme"})
STARTING = "hotshoe-starting"
"""The argument of a repeated request for a session that was not ready in time (``web/visits/starting.py``)."""
_SESSION_ARGUMENTS = frozenset({"bokeh-session-id", "bokeh-token", STARTING})

WATCH_AFTER_S = 0.05
"""Most responses are ready before that; watching for the end of their connections would cost more than it saves."""

_T = TypeVar("_T")
_Choice = Callable[[Mapping[str, str]], dict[str, str]]


def request_of(scope: Mapping[str, Any]) -> Request:
    """The request for apps: without session arguments and our own cookies, with header names in ``Title-Case``."""
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
        version=f"HTTP/{scope.get('http_version', '1.1')}",
    )


def came_by_proxy(scope: Mapping[str, Any]) -> bool:
    """Whether the request came from a trusted proxy."""
    return scope.get(TRUSTED_PROXY) is True


def client_is_known(scope: Mapping[str, Any]) -> bool:
    """Whether the scope's ``client`` is the client's own address."""
    return scope.get(CLIENT_KNOWN) is True


def prefix_is_told(scope: Mapping[str, Any]) -> bool:
    """Whether proxies tell which prefix they remove, so that ``root_path`` is right for the browser."""
    return scope.get(PREFIX_TOLD) is True


def client_address(connection: HTTPConnection) -> str | None:
    """The client's own address; ``None`` if only a proxy's is known."""
    known = client_is_known(connection.scope)
    return connection.client.host if known and connection.client else None


def _session_of(scope: Mapping[str, Any]) -> dict[str, Any] | None:
    session = scope.get("session")
    return dict(session) if isinstance(session, Mapping) else None


def _without_own_cookies(headers: dict[str, str]) -> dict[str, str]:
    """Remove our own cookies: apps must not see the cookie of a login, since it is enough to be logged in."""
    if OWN_COOKIES in (cookies := headers.get("Cookie", "")):
        others = [pair for pair in cookies.split(";") if not pair.strip().startswith(OWN_COOKIES)]
        headers["Cookie"] = ";".join(others).strip()
        if not others:
            del headers["Cookie"]
    return headers


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers by ``Title-Case`` name; repeated ones are joined by a comma, cookies by a semicolon."""
    headers: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for raw_name, raw_value in scope["headers"]:
        name = _title(raw_name)
        value = raw_value.decode("latin-1")
        if name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        else:
            headers[name] = value
    for name, values in repeated.items():  # joined once: there may be thousands
        headers[name] = ("; " if name == "Cookie" else ",").join(values)
    return headers


def _title(name: bytes) -> str:
    return "-".join(word.capitalize() for word in name.decode("latin-1").split("-"))


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The last header with this lower-case name; does not build the whole mapping."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return None if found is None else found.decode("latin-1")


def request_id(scope: Mapping[str, Any]) -> str:
    """The id in ``X-Request-ID``, which a proxy sets, if it is safe in a log, else a new id."""
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


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client of a request or a websocket has disconnected; all other events are dropped."""
    while not (await receive())["type"].endswith(".disconnect"):
        pass


async def unless_left(receive: Receive, answer: Coroutine[Any, Any, _T]) -> _T | None:
    """Await ``answer``; if the client disconnects before, cancel it and return ``None``."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    watch: asyncio.Task[None] | None = None
    has_left = False

    def begin() -> None:
        nonlocal watch
        watch = loop.create_task(wait_for_disconnect(receive))
        watch.add_done_callback(leave)

    def leave(watch: asyncio.Task[None]) -> None:
        nonlocal has_left
        if not watch.cancelled() and watch.exception() is None:
            has_left = True
            task.cancel()

    timer = loop.call_later(WATCH_AFTER_S, begin)
    try:
        return await answer
    except asyncio.CancelledError:
        if has_left and not task.uncancel():
            return None
        raise
    finally:
        timer.cancel()
        if watch is not None:
            watch.remove_done_callback(leave)
            watch.cancel()


def is_local_script(scope: Mapping[str, Any]) -> bool:
    """Whether a program on this machine sent the request, and not a browser or a proxy, as far as the headers tell.

    A browser sends its origin with every websocket's handshake; a script with ``bokeh.client`` sends none.
    """
    client = scope.get("client")
    return client is not None and is_loopback(client[0]) and not any(
        name in _NOT_OF_SCRIPTS or name.startswith(b"x-forwarded") for name, _ in scope["headers"])


def is_browser(scope: Mapping[str, Any]) -> bool:
    """Whether a browser asks for a page: ``Accept`` names HTML, which programs do not do."""
    return "text/html" in (header(scope, b"accept") or "").lower()


def with_payload(request: Request, payload: Mapping[str, Any]) -> Request:
    """The request with the arguments, headers and cookies in its token's payload.

    The request's own headers and cookies take precedence.
    """
    changes: dict[str, Any] = {}
    if (arguments := _mapping_of(payload.get("arguments"), list)) is not None:
        changes["arguments"] = {str(name): _bytes_list(values) for name, values in arguments.items()}
    for name in ("headers", "cookies"):
        if (values := _mapping_of(payload.get(name), str)) is not None:
            changes[name] = {**values, **getattr(request, name)}
    return replace(request, **changes) if changes else request


def _mapping_of(value: Any, kind: type) -> Mapping[Any, Any] | None:
    fits = isinstance(value, Mapping) and all(isinstance(each, kind) for each in value.values())
    return value if fits else None


def _bytes_list(values: list[Any]) -> list[bytes]:
    return [each if isinstance(each, bytes) else str(each).encode() for each in values]


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request (or websocket handshake) that asked for a session.

    Hooks get it as ``request``, and apps as ``session_context.request``. Its attributes have the names that apps for
    ``bokeh serve`` use.
    """

    method: str = "GET"
    path: str = "/"
    """The decoded path as the server saw it, prefix included."""
    query: str = ""
    arguments: Mapping[str, list[bytes]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in ``Title-Case``; repeated headers are joined by a comma."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    remote_ip: str | None = None
    client_known: bool = False
    """Whether ``remote_ip`` is the client's own address; otherwise it may be a proxy's."""
    protocol: str = "http"
    """``http`` or ``https``."""
    host: str = ""
    root_path: str = ""
    """The path at which an outer ASGI app mounted this one."""
    user: Any = None
    """The user who has logged in, a ``hotshoe.auth.User``; without a login, ``scope["user"]`` of an outer framework."""
    session: Mapping[str, Any] | None = field(default=None, repr=False)
    """A copy of the outer framework's session (``scope["session"]``); changes are not kept."""
    logout_url: str | None = None
    """The URL for logging out, if there is one."""
    version: str = "HTTP/1.1"
    received_s: float = field(default_factory=time.monotonic, compare=False, repr=False)

    @property
    def uri(self) -> str:
        """Path and query, quoted as in a URL."""
        path = quote(self.path, safe="/:@!$&'()*+,;=~")
        return f"{path}?{self.query}" if self.query else path

    def full_url(self) -> str:
        """The URL that was requested."""
        return f"{self.protocol}://{self.host}{self.uri}"

    @property
    def host_name(self) -> str:
        """The host without its port."""
        name, _, port = self.host.rpartition(":")
        return (name if name and port.isdigit() else self.host).lower()

    @property
    def query_arguments(self) -> Mapping[str, list[bytes]]:
        """The same as ``arguments``: a page is requested by its URL alone, so there is no body."""
        return self.arguments

    @property
    def body(self) -> bytes:
        """Empty, as the ones after it."""
        return b""

    @property
    def body_arguments(self) -> dict[str, list[bytes]]:
        return {}

    @property
    def files(self) -> dict[str, list[Any]]:
        return {}

    def request_time(self) -> float:
        """The seconds since the request came."""
        return time.monotonic() - self.received_s

    def get_ssl_certificate(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """``None``: the server asks no client for a certificate."""
        return None

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, LEFT_OUT)


LEFT_OUT = dict.fromkeys(("connection", "server_connection"), "apps do not get the connection; remote_ip, protocol and "
                         "version tell what is known of it")
"""Names of Tornado's request."""


class Disclosure:
    """Applies ``--include-…`` and ``--exclude-…`` to requests. Raises ``ConfigError`` for both of one kind."""

    def __init__(self, settings: Settings) -> None:
        self._headers = _choice("headers", settings.include_headers, settings.exclude_headers, str.lower)
        self._cookies = _choice("cookies", settings.include_cookies, settings.exclude_cookies, str)
        # The header Cookie repeats all cookies, so it is only shown if it is included by name.
        self._hides_cookie = self._cookies is not None and "cookie" not in map(str.lower, settings.include_headers)

    def of(self, scope: Mapping[str, Any]) -> Request:
        """The request for apps."""
        return self.limit(request_of(scope))

    def limit(self, request: Request) -> Request:
        """The request without its hidden headers and cookies."""
        headers: Mapping[str, str] = request.headers if self._headers is None else self._headers(request.headers)
        if self._hides_cookie:
            headers = {name: value for name, value in headers.items() if name != "Cookie"}
        cookies: Mapping[str, str] = request.cookies if self._cookies is None else self._cookies(request.cookies)
        if headers is request.headers and cookies is request.cookies:
            return request
        return replace(request, headers=headers, cookies=cookies)


def _choice(kind: str, included: tuple[str, ...], excluded: tuple[str, ...],
            fold: Callable[[str], str]) -> _Choice | None:
    """A filter that keeps the included names, or all but the excluded ones; ``None`` if there are none."""
    if included and excluded:
        raise ConfigError(f"--include-{kind} and --exclude-{kind} exclude each other: give one of them")
    if not included and not excluded:
        return None
    names = frozenset(map(fold, included or excluded))
    wanted = bool(included)
    return lambda given: {name: value for name, value in given.items() if (fold(name) in names) is wanted}
