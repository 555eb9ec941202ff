"""Serves WSGI apps as ASGI apps, on threads, and loads them by names like ``module:app``."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from starlette.responses import PlainTextResponse

from ...base.errors import SiteError
from ...base.extras import need, wrong_version
from ...base.logs import PacedLog
from ...base.threads import ThreadPool
from ...base.tracebacks import in_one_line
from ...http.paths import mount_keys
from ...http.responses import TRY_AGAIN, send_response
from ...http.scopes import ADMISSION, AsgiApp, Receive, Scope, Send
from .departures import WsgiClient, stop_when_gone

THREADS = 64
"""How many requests a site serves at once."""
THREADS_FOR_INQUIRIES = 16
"""Further threads for questions who may open an app: streams and slow views may occupy all others."""
WAITING_MOST = 500
"""How many requests may wait for a thread. A request keeps waiting after its client has left, so the requests of a site
that hangs would grow without bound."""

_log = PacedLog(logging.getLogger(__name__), most=1)


def asgi_of(app: Any) -> AsgiApp:
    """Wrap a WSGI app as an ASGI app. Raises ``ConfigError`` if a2wsgi is not installed or has changed."""
    need("A WSGI site", "wsgi", "a2wsgi")
    from a2wsgi import WSGIMiddleware

    serve: Any = WSGIMiddleware(stop_when_gone(app))
    inquire: Any = WSGIMiddleware(stop_when_gone(app))
    for middleware, threads in ((serve, THREADS), (inquire, THREADS_FOR_INQUIRIES)):
        if "executor" not in vars(middleware) or "executor" not in WSGIMiddleware.__call__.__code__.co_names:
            raise wrong_version("a2wsgi", "WSGIMiddleware has no executor any more")
        middleware.executor = ThreadPool(threads, name="hotshoe-site")

    async def serve_wsgi(scope: Scope, receive: Receive, send: Send) -> None:
        client = WsgiClient(receive, send)
        await client.read_ahead()
        if client.is_gone:
            return
        respond = inquire if ADMISSION in scope else serve
        if respond.executor.waiting_count >= WAITING_MOST:
            _log.warning("All threads of the site are busy and %d requests wait: refused a request with status 503",
                         WAITING_MOST)
            respond = _refuse
        await client.serve(respond, _wsgi_scope(scope))

    return serve_wsgi


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    words = "This site is too busy at this moment. Please try again in a minute."
    await send_response(PlainTextResponse(words, 503, TRY_AGAIN), scope, send)


def _wsgi_scope(scope: Scope) -> Scope:
    """The scope for a2wsgi: an ASCII query (RFC 3986), all cookies in one header (HTTP/2 splits it), no ``_`` in names.

    The path begins with the root: a2wsgi removes the root as a string, ``/a`` also from the ``/about`` that older
    servers give for ``/a/about``. Headers with ``_`` in their names are left out: in WSGI ``X_Remote_User`` is the same
    as ``X-Remote-User``, which proxies remove from requests only under its proper name.
    """
    query = scope.get("query_string", b"")
    if not query.isascii():
        query = quote(query, safe="/:?#[]@!$&'()*+,;=%~").encode()
    headers = [pair for pair in scope["headers"] if b"_" not in pair[0]]
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) > 1:
        headers = [pair for pair in headers if pair[0] != b"cookie"] + [(b"cookie", b"; ".join(cookies))]
    return {**scope, **mount_keys(scope), "query_string": query, "headers": headers}


def load_app(name: str) -> Any:
    """Load the app named ``module:attribute``, or made by ``module:function()``. Raises a one-line ``SiteError``.

    Modules are searched in the current directory first, as WSGI servers do.
    """
    module_name, _, attribute = name.partition(":")
    attribute, is_made = attribute.removesuffix("()"), attribute.endswith("()")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = _import(module_name)
    except ModuleNotFoundError as error:
        if f"{module_name}.".startswith(f"{error.name}."):
            place = f"in {Path.cwd()} or on Python's path"
            raise SiteError(f"--wsgi: there is no module {error.name} {place}") from None
        raise SiteError(f"--wsgi: {module_name} can't be imported: {in_one_line(error)}") from error
    except Exception as error:
        raise SiteError(f"--wsgi: {module_name} can't be imported: {in_one_line(error)}{_place_of(error)}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise SiteError(f"--wsgi: {module_name} has no {attribute}")
        found = getattr(found, part)
    try:
        return found() if is_made else found
    except Exception as error:
        said = f"{in_one_line(error)}{_place_of(error)}"
        raise SiteError(f"--wsgi: {attribute}() of {module_name} failed: {said}") from error


def _place_of(error: Exception) -> str:
    """The file and line that raised the error; empty for a ``SyntaxError``, which names them itself."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _import(name: str) -> ModuleType:
    """Import a module. A ``site.py`` in the current directory works, too, though Python has a ``site`` of its own."""
    path = Path.cwd() / f"{name}.py"
    if name not in sys.modules or name not in sys.stdlib_module_names or not path.is_file():
        return importlib.import_module(name)
    alias = f"_{name}"
    if alias not in sys.modules:
        spec = importlib.util.spec_from_file_location(alias, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[alias] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[alias]
            raise
    return sys.modules[alias]
