"""WSGI apps as ASGI apps, on threads; and the names by which WSGI servers know them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from ..apps.tracebacks import in_one_line
from ..errors import SiteError
from ..extras import need
from .admission import ADMISSION
from .answers import Receive, Scope, Send
from .departures import Visitor, ending
from .lifespans import AsgiApp
from .routes import mounted_path
from .site_threads import SiteThreads

THREADS = 64
"""How many requests a site answers at once."""
THREADS_FOR_INQUIRIES = 16
"""How many more say who may open an app: streams and slow views may have all the others."""


def asgi_of(app: Any) -> AsgiApp:
    """The app as an ASGI app. Raises ``ConfigError`` where a2wsgi is not installed."""
    need("A WSGI site", "wsgi", "a2wsgi")
    from a2wsgi import WSGIMiddleware

    serve: Any = WSGIMiddleware(ending(app))
    inquire: Any = WSGIMiddleware(ending(app))
    serve.executor, inquire.executor = SiteThreads(THREADS), SiteThreads(THREADS_FOR_INQUIRIES)

    async def serve_wsgi(scope: Scope, receive: Receive, send: Send) -> None:
        visitor = Visitor(receive, send)
        await visitor.arrive()
        if not visitor.is_gone:
            await visitor.serve(inquire if ADMISSION in scope else serve, _as_wsgi_knows_it(scope))

    return serve_wsgi


def _as_wsgi_knows_it(scope: Scope) -> Scope:
    """A query in ASCII, as RFC 3986 has it, one header with all cookies, which HTTP/2 splits, and the root in the path.

    a2wsgi cuts the root off by its letters: ``/a`` also from ``/about``, which older servers give for ``/a/about``. In
    WSGI ``X_Remote_User`` is ``X-Remote-User``, which a proxy takes away from its visitors: such names are left out.
    """
    root = scope.get("root_path", "").rstrip("/")
    query = scope.get("query_string", b"")
    if not query.isascii():
        query = quote(query, safe="/:?#[]@!$&'()*+,;=%~").encode()
    headers = [pair for pair in scope["headers"] if b"_" not in pair[0]]
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) > 1:
        headers = [pair for pair in headers if pair[0] != b"cookie"] + [(b"cookie", b"; ".join(cookies))]
    path = root + mounted_path(scope["path"], root)
    return {**scope, "root_path": root, "path": path, "query_string": query, "headers": headers}


def load_app(name: str) -> Any:
    """The app that ``module:attribute`` names, or ``module:function()`` makes. Raises ``SiteError`` in one line.

    Modules are looked for in the current directory first, as WSGI servers do.
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
    """The file and line that raised it; a ``SyntaxError`` says its own."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _import(name: str) -> ModuleType:
    """The module; a ``site.py`` of the current directory, too, though Python has a module of this name and uses it."""
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
