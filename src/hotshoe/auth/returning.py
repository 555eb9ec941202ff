"""The way back to the page that somebody wanted before they had to log in. Pure.

``next`` is a path below the prefix, with its query, and nothing else: as a relative reference from a page right below
the prefix it can't lead to another host, and holds behind every proxy.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlencode

from starlette.datastructures import URL
from starlette.requests import HTTPConnection

HOME = "/"
_LONGEST = 2000
_MARK = r"[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2}"
_NEXT = re.compile(rf"/(?!/)(?:{_MARK})*(?:\?(?:{_MARK}|\?)*)?", re.ASCII)
_PATH_MARKS = "/~!$&'()*+,;=:@"


def next_of(text: str | None) -> str:
    """``text`` if it is a path below the prefix, else the prefix itself."""
    if text is None or len(text) > _LONGEST or not _NEXT.fullmatch(text):
        return HOME
    segments = unquote(text.partition("?")[0]).replace("\\", "/").split("/")
    return HOME if {".", ".."} & set(segments) else text


def wanted(connection: HTTPConnection, prefix: str) -> str:
    """What a request asks for, as ``next``."""
    path = _below(_inside(connection), "/" + prefix.strip("/") if prefix.strip("/") else "")
    query = connection.scope.get("query_string", b"").decode("latin-1")
    text = quote(path or HOME, safe=_PATH_MARKS)
    return next_of(f"{text}?{quote(query, safe=_PATH_MARKS + '?%')}" if query else text)


def with_next(path: str, wanted: str) -> str:
    """The path of a login page that leads on to ``wanted``. It always has a query."""
    return f"{path}?{urlencode({'next': wanted})}"


def reference(next: str) -> str:  # noqa: A002
    """From a page right below the prefix to ``next``."""
    return "." + next


def page_beside(connection: HTTPConnection, name: str) -> str:
    """The absolute URL of another page right below the prefix."""
    folder, _, _ = _full_path(connection).rpartition("/")
    url = connection.url
    return str(URL(f"{url.scheme}://{url.netloc}{quote(folder, safe=_PATH_MARKS)}/{name}"))


def _full_path(connection: HTTPConnection) -> str:
    """With the mount in front. Servers that follow ASGI have put it there."""
    mount = connection.scope.get("root_path", "").rstrip("/")
    path: str = connection.scope["path"]
    return path if path.startswith(f"{mount}/") else mount + path


def _inside(connection: HTTPConnection) -> str:
    return _below(connection.scope["path"], connection.scope.get("root_path", "").rstrip("/"))


def _below(path: str, base: str) -> str:
    return path[len(base):] if base and f"{path}/".startswith(f"{base}/") else path
