"""What we can't leave to other ASGI servers: which headers of a request come from its head.

Some servers (uvicorn with httptools) add the trailer's fields of a chunked request to the headers. A proxy replaces
what a client says of itself in the head only, so a trailer could name any user and address. The same parser skips the
body of a request that asks for another protocol, and takes what comes of it later for the next request.

So the headers are copied before anything else happens. If they may contain a trailer, the request is *doubted*: only
headers that clients write themselves count. Our own server refuses all of these requests (``server/http_protocol.py``).
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from ...base.logs import PacedLog
from ...http.scopes import DOUBTED, Scope

_KNOWN = frozenset({"uvicorn.protocols.http.h11_impl", "hypercorn.protocol.http_stream", "granian._granian"})
"""The modules of servers that keep trailers apart and read a body before the next request, as
``tests/real/test_trailers.py`` shows."""
_WITH_HTTP_2 = ("hypercorn.protocol.http_stream", "granian._granian")
"""Those that speak HTTP/2. Middleware can hide them (Starlette's ``BaseHTTPMiddleware``), but a process has one server:
if it has loaded one of these modules, its requests by HTTP/2 come from there."""
_HTTPTOOLS = "uvicorn.protocols.http.httptools_impl"
_FIX = "start uvicorn with --http h11 (gunicorn with -k uvicorn_worker.UvicornH11Worker)"

_OF_CLIENTS = frozenset({
    b"accept", b"accept-encoding", b"accept-language", b"access-control-request-headers",
    b"access-control-request-method", b"cache-control", b"connection", b"content-encoding", b"content-length",
    b"content-type", b"cookie", b"expect", b"host", b"if-match", b"if-modified-since", b"if-none-match", b"if-range",
    b"if-unmodified-since", b"origin", b"pragma", b"range", b"referer", b"te", b"transfer-encoding", b"upgrade",
    b"user-agent", b"x-requested-with",
})
"""Headers with which no proxy tells who a client is. (In ``Authorization`` some do.)"""

_log = logging.getLogger(__name__)
_paced_log = PacedLog(_log, most=1)


class ForeignServers:
    """Checks the requests of one front's server; warns once of uvicorn with httptools."""

    def __init__(self) -> None:
        self._has_warned = False

    def check(self, scope: Scope, receive: Any, send: Any) -> tuple[Scope, str]:
        """The scope with a copy of the headers; and why the request is refused, or an empty text."""
        headers = list(scope["headers"])
        scope = {**scope, "headers": headers}
        names = [name for name, _ in headers]
        is_chunked = b"transfer-encoding" in names
        before = names.index(b"transfer-encoding") if is_chunked else len(headers)
        hosts = [pair for pair in headers[:before] if pair[0] == b"host"]
        if len({value.lower() for _, value in hosts}) > 1:  # one would be checked, and another one used (RFC 9112, 3.2)
            return scope, "The request has several Host headers."
        modules = (_module(receive), _module(send))
        if not _KNOWN.isdisjoint(modules):
            return scope, ""
        if _HTTPTOOLS in modules:
            self._warn()
        has_body = is_chunked or any(name == b"content-length" and value.strip(b"0") for name, value in headers)
        if has_body and (b"upgrade" in names or scope.get("method") == "CONNECT") and scope["type"] == "http":
            return scope, "A request that asks for another protocol can't have a body."
        if not is_chunked and (scope.get("http_version", "1.1") in ("1.0", "1.1")
                               or any(name in sys.modules for name in _WITH_HTTP_2)):
            return scope, ""
        if is_chunked and not hosts:  # a later one may be the trailer's
            return scope, "A chunked request needs a Host header before Transfer-Encoding."
        _paced_log.warning("Took neither a user nor an address from the headers of a request, as this server may add "
                           "trailers to them: %s", _FIX)
        scope["headers"] = [*hosts[:1], *(pair for pair in headers if pair[0] != b"host")]
        scope[DOUBTED] = True
        return scope, ""

    def check_start(self, receive: Any) -> None:
        """Warn at startup; ``receive`` is that of the lifespan. Mounts have none, and warn with their first request."""
        config = getattr(getattr(receive, "__self__", None), "config", None)
        if getattr(getattr(config, "http_protocol_class", None), "__module__", "") == _HTTPTOOLS:
            self._warn()

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("uvicorn's parser httptools takes trailers for headers, and bodies of upgrades for requests. "
                         "Behind a proxy, %s", _FIX)


def of_client(scope: Scope) -> Scope:
    """The scope of a doubted request for all but the site around the apps: with headers that clients write."""
    headers = [(name, value) for name, value in scope["headers"] if name in _OF_CLIENTS or name.startswith(b"sec-")]
    return {**scope, "headers": headers}


def _module(function: Any) -> str:
    """The module of the class whose method this is."""
    return type(getattr(function, "__self__", function)).__module__
