"""Paths below a prefix, and references between them. Pure functions.

The *base* is the beginning of every path of this server in the browser, unless a proxy removes more: the path of the
mount (ASGI's ``root_path``), then ``--prefix``. Browsers get references relative to their page, so that these are right
behind every proxy, also behind one that removes a part of the path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from ..base.errors import AppError

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

HOME = "/"
_LONGEST_NEXT = 2000
_MARK = r"[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2}"
_NEXT = re.compile(rf"/(?!/)(?:{_MARK})*(?:\?(?:{_MARK}|\?)*)?", re.ASCII)
_PATH_MARKS = "/~!$&'()*+,;=:@"
_REFERENCE_MARKS = "/:?#@!$&'()*+,;=%~"
_UNFIT = re.compile(r"[\r\n\0]")


def normalized_prefix(prefix: str) -> str:
    """``foo/bar/`` → ``/foo/bar``; an empty string, or only slashes → an empty string."""
    stripped = prefix.strip("/")
    return f"/{stripped}" if stripped else ""


def normalized_url(path: str) -> str:
    """The URL of an app: ``deep/app/`` → ``/deep/app``; an empty string, or only slashes → ``/``.

    Raises ``AppError`` for what is no string.
    """
    if not isinstance(path, str):
        raise AppError(f"{path!r}: an app's URL must be a string")
    return "/" + path.strip("/")


def rooted(path: str) -> str:
    """The path with exactly one slash at its start: with two, it would begin with a host."""
    return "/" + path.lstrip("/")


def segments(path: str) -> list[str]:
    """The names in a URL's path."""
    return [name for name in path.split("/") if name]


def path_below(path: str, base: str) -> str | None:
    """The rest of ``path`` after ``base``: empty, or with a leading slash; ``None`` if it is not below."""
    if not base:
        return path
    if path.startswith(base) and path[len(base):len(base) + 1] in ("", "/"):
        return path[len(base):]
    return None


def path_without(path: str, root_path: str) -> str:
    """The path inside the mount. By ASGI ``path`` contains ``root_path``; older servers leave it out."""
    inside = path_below(path, root_path.rstrip("/"))
    return path if inside is None else inside


def path_with(path: str, base: str) -> str:
    """The path with ``base`` in front, unless it is there already, or the path belongs to another host."""
    if not path.startswith("/") or path.startswith(("//", f"{base}/")):
        return path
    return base + path


def path_before(path: str, app_url: str) -> str:
    """The server's path in the browser: ``path`` without the app's URL at its end; with slashes at both ends."""
    names, own = segments(path), segments(app_url)
    if own and [unquote(name) for name in names[-len(own):]] == own:
        names = names[:-len(own)]
    return "".join(f"/{name}" for name in names) + "/"


def base_of(scope: Mapping[str, Any], prefix: str = "") -> str:
    """The base, without a slash at its end; ``prefix`` is normalized."""
    root_path: str = scope.get("root_path", "")
    return root_path.rstrip("/") + prefix


def mount_keys(scope: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """``root_path`` and ``path`` for an app mounted at ``prefix``: the root ends with it, and the path has the root.

    Older servers leave the root out of the path; such a path is ambiguous if it begins like the root.
    """
    root = base_of(scope)
    return {"root_path": root + prefix, "path": root + path_without(scope["path"], root)}


def mount_of(scope: Mapping[str, Any]) -> str:
    """The path at which a framework has mounted us, without what a server or proxy has added in front of it.

    Starlette keeps that in ``app_root_path``. Of other frameworks, it is the whole root.
    """
    root = base_of(scope)
    inside = path_below(root, scope.get("app_root_path", "").rstrip("/"))
    return root if inside is None else inside


def uncut_keys(scope: Mapping[str, Any], cut_off: str) -> dict[str, Any]:
    """``root_path``, ``path`` and ``raw_path`` as they were before a proxy removed ``cut_off`` from their start."""
    root = base_of(scope)
    front = cut_off + root
    changed: dict[str, Any] = {"root_path": front, "path": front + path_without(scope["path"], root)}
    if raw := scope.get("raw_path"):
        has_root = path_below(unquote(raw.decode("latin-1")), root) is not None
        changed["raw_path"] = quote(cut_off if has_root else front).encode() + raw
    return changed


def uri_of(scope: Mapping[str, Any]) -> str:
    """Path and query as the browser sent them."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"], safe=_PATH_MARKS)
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def url_beside(connection: HTTPConnection, name: str) -> str:
    """The absolute URL of another page directly below the base, for a request of such a page."""
    folder, _, _ = mount_keys(connection.scope)["path"].rpartition("/")
    url = connection.url
    return f"{url.scheme}://{url.netloc}{quote(folder, safe=_PATH_MARKS)}/{name}"


def reference_to_base(rest: str) -> str | None:
    """From the page at the base + ``rest`` to the base with a slash; ``None`` if ``rest`` is empty.

    In that case the reference must repeat the base's last name, which is only in the page's whole path.
    """
    depth = rest.count("/")
    if depth == 0:
        return None
    return "../" * (depth - 1) or "./"


def reference_from_base(page: str, path: str) -> str:
    """From the page at the base, requested as ``page`` with or without a slash at its end, to the base + ``path``.

    With the leading ``./`` browsers do not read a name with a colon as a scheme.
    """
    if page.endswith("/") or not page:
        return "." + path
    return "./" + page.rsplit("/", 1)[1] + path


def reference_beside(path: str) -> str:
    """From any page directly below the base, such as a login page, to the base + ``path``."""
    return "." + path


def reference_within(location: str, page: str, base: str) -> str:
    """From the path ``page`` to the path ``location``, if both are below ``base``; else ``location`` itself."""
    if not location.startswith("/") or location.startswith("//"):
        return location
    path, mark, query = location.partition("?")
    here, there = path_below(page, base), path_below(path, base)
    up = None if here is None else reference_to_base(here)
    return location if up is None or there is None else f"{up}{there.lstrip('/')}{mark}{query}"


def safe_reference(place: str, page: str, up: str | None) -> str:
    """The reference to ``place``, a path below the base or a full URL; quoted, and without line breaks.

    ``up`` is the result of ``reference_to_base`` for ``page``.
    """
    place = _UNFIT.sub("", place).encode("utf-8", "replace").decode()
    if not place.startswith("/") or place.startswith("//"):
        return quote(place, safe=_REFERENCE_MARKS + "[]")
    place = quote(place, safe=_REFERENCE_MARKS)
    return reference_from_base(page, place) if up is None else up + place.lstrip("/")


def path_or_url(path: str, connection: HTTPConnection, base: str) -> str:
    """A path of the host as a path below ``base``; as a URL with the host if it is not below ``base``."""
    path = rooted(path)
    if not base or path.startswith(base + "/"):
        return path.removeprefix(base)
    return f"//{connection.headers.get('host', '')}{path}"


def next_of(text: str | None) -> str:
    """``text`` if it is a safe path below the base, with or without a query, else ``HOME``, the base itself.

    With a dot in front, the result is a reference from a page directly below the base; it cannot name another host.
    """
    if text is None or len(text) > _LONGEST_NEXT or not _NEXT.fullmatch(text):
        return HOME
    names = unquote(text.partition("?")[0]).replace("\\", "/").split("/")
    return HOME if {".", ".."} & set(names) else text


def wanted(connection: HTTPConnection, prefix: str) -> str:
    """The path and query of a request, as a value for ``next``."""
    path = path_without(path_without(connection.scope["path"], base_of(connection.scope)), normalized_prefix(prefix))
    query = connection.scope.get("query_string", b"").decode("latin-1")
    text = quote(path or HOME, safe=_PATH_MARKS)
    return next_of(f"{text}?{quote(query, safe=_PATH_MARKS + '?%')}" if query else text)


def login_with_next(path: str, wanted: str) -> str:
    """The path of our login page, which continues to ``wanted`` after the login. It always has a query."""
    return f"{path}?{urlencode({'next': wanted})}"


def login_with_tornado_next(url: str, connection: HTTPConnection) -> str:
    """The URL of an auth module's login, with the address to return to as ``next``, as Tornado adds it.

    That address is the browser's whole path, or its URL if the login is a URL. A URL with a query is not changed.
    """
    if "?" in url:
        return url
    back = uri_of(connection.scope)
    if urlsplit(url).scheme:
        scheme = "https" if connection.scope.get("scheme") in ("https", "wss") else "http"
        back = f"{scheme}://{connection.headers.get('host', '')}{back}"
    return f"{url}?{urlencode({'next': back})}"
