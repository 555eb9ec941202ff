"""Which resource a path names. Pure: paths in, a route out; nothing here answers.

A path is taken as decoded by the server. ``P/app`` and ``P/app/`` are one resource, and neither is ever redirected
to the other, because proxies add and drop trailing slashes.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import Enum

from ..hosts.host import AppInfo


class Kind(Enum):
    """What stands at a path."""

    PAGE = "page"
    SOCKET = "socket"
    METADATA = "metadata"
    AUTOLOAD = "autoload"
    APP_STATIC = "app static"
    INDEX = "index"
    STATIC = "static"
    EXTENSION = "extension"
    ASSET = "asset"
    THUMBNAIL = "thumbnail"
    SOURCE = "source"
    FAVICON = "favicon"
    LOGIN = "login"
    SITE = "site"
    """Somebody else's: the site around the apps."""
    NOTHING = "nothing"


_READ = ("GET", "HEAD")
_METHODS = {Kind.SOCKET: ("GET",), Kind.AUTOLOAD: ("GET", "HEAD", "OPTIONS")}
_OWN = "/_hotshoe/"
_EXTENSIONS = "/static/extensions/"
_OF_APPS = {"/_hotshoe/thumbnails": Kind.THUMBNAIL, "/_hotshoe/source": Kind.SOURCE}
COMPONENT = "embed.js"
"""The script of ``<bokeh-app>``. It is found below every path, as embedders know paths of apps, and not the prefix."""
_ENDPOINTS = {"ws": Kind.SOCKET, "metadata": Kind.METADATA, "autoload.js": Kind.AUTOLOAD}


@dataclass(frozen=True, slots=True)
class Route:
    """A resource: its kind, its app if it belongs to one, and the rest of the path for files."""

    kind: Kind
    app: AppInfo | None = None
    rest: str = ""
    up: str | None = None
    """A relative reference from this path to ``P/``; ``None`` outside the prefix."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the resource answers to."""
        return _METHODS.get(self.kind, _READ)


def normalized_prefix(prefix: str) -> str:
    """``foo/bar/`` → ``/foo/bar``; nothing, or only slashes → the empty string."""
    stripped = prefix.strip("/")
    return f"/{stripped}" if stripped else ""


def below(path: str, base: str) -> str | None:
    """What of ``path`` follows ``base``: empty, or with a leading slash; ``None`` if it is not below it."""
    if not base:
        return path
    if path.startswith(base) and path[len(base):len(base) + 1] in ("", "/"):
        return path[len(base):]
    return None


def mounted_path(path: str, root_path: str) -> str:
    """The path inside the mount. Servers that follow ASGI put ``root_path`` into ``path``, older ones do not."""
    inside = below(path, root_path.rstrip("/"))
    return path if inside is None else inside


class Routes:
    """The map of one front.

    Where a site is around the apps (``has_site``), it has all that is not an app's, below ``/_hotshoe/``, a page for
    logging in, or the file of an extension.
    """

    def __init__(self, apps: Mapping[str, AppInfo], prefix: str = "", *, login: Container[str] = (),
                 has_site: bool = False) -> None:
        self._apps = apps
        self._has_site = has_site
        self._login = login
        self._prefix = normalized_prefix(prefix)
        self._longest = max(map(len, apps), default=0)

    def resolve(self, path: str, root_path: str = "") -> Route:
        """The route of ``path``, in stock's order: favicon, apps, index, static."""
        inside = mounted_path(path, root_path)
        if inside == "/favicon.ico" and not self._has_site:
            return Route(Kind.FAVICON)
        rest = below(inside, self._prefix)
        if rest is None:
            return Route(Kind.NOTHING)
        if (page := rest.rstrip("/")) in self._login:
            return Route(Kind.LOGIN, rest=page, up=climb(rest))
        return self._own(rest) or self._app(rest) or self._shared(rest)

    def _own(self, rest: str) -> Route | None:
        if not rest.startswith(_OWN):
            return self._own_of_app(rest)
        for base, kind in _OF_APPS.items():
            if (url := below(rest, base)) is not None:
                return Route(kind, self._apps.get(url.rstrip("/") or "/"), up=climb(rest))
        if (file := self._static(rest.removeprefix("/_hotshoe"), rest)) is not None:
            return file
        return Route(Kind.ASSET, self._apps.get("/"), rest=rest.removeprefix(_OWN), up=climb(rest))

    def _own_of_app(self, rest: str) -> Route | None:
        """Pages ask for what is ours below their own address: a proxy may pass on no more than that."""
        head, mark, name = rest.partition(_OWN)
        app = self._at(head) if mark else None
        return None if app is None else Route(Kind.ASSET, app, rest=name, up=climb(rest))

    def _app(self, rest: str) -> Route | None:
        trimmed = rest.rstrip("/") or "/"
        if app := self._apps.get(trimmed):
            return Route(Kind.PAGE, app, up=climb(rest))
        head, _, tail = trimmed.rpartition("/")
        if (kind := _ENDPOINTS.get(tail)) and (app := self._at(head)):
            return Route(kind, app, up=climb(rest))
        file = self._app_static(rest)
        return self._of_no_app(rest, tail) if file is None and not rest.startswith("/static/") else file

    def _at(self, path: str) -> AppInfo | None:
        """The app whose URL is followed by more. A proxy that passes ``/app`` on as ``/app/`` adds a slash."""
        return self._apps.get(path.rstrip("/") or "/")

    def _of_no_app(self, rest: str, tail: str) -> Route | None:
        """What embedding pages ask for below any path: where there is no app, they have to hear that."""
        if self._has_site and self._at(rest.removesuffix(f"/{tail}")) is None:
            return None
        if tail == COMPONENT:
            return Route(Kind.ASSET, rest=COMPONENT, up=climb(rest))
        return Route(Kind.AUTOLOAD, up=climb(rest)) if tail == "autoload.js" else None

    def _app_static(self, rest: str) -> Route | None:
        at = rest.find("/static/")
        while 0 <= at <= self._longest + 1:
            app = self._at(rest[:at])
            if app is not None and not (at == 0 and self._has_site and app.static_dir is None):  # that is the site's
                return Route(Kind.APP_STATIC, app, rest[at + len("/static/"):], up=climb(rest))
            at = rest.find("/static/", at + 1)
        return None

    def _shared(self, rest: str) -> Route:
        if self._has_site:
            return self._of_site(rest)
        if rest in ("", "/"):
            return Route(Kind.INDEX, up=climb(rest))
        if rest == "/favicon.ico":
            return Route(Kind.FAVICON)
        return self._static(rest, rest) or Route(Kind.NOTHING, up=climb(rest))

    def _of_site(self, rest: str) -> Route:
        """Extensions' files stay where they are; what is none of these is for the front to find out, and the site's."""
        file = self._static(rest, rest) if rest.startswith(_EXTENSIONS) else None
        return file or Route(Kind.SITE, up=climb(rest))

    @staticmethod
    def _static(path: str, rest: str) -> Route | None:
        """The file of BokehJS or of an extension that ``path`` names, asked for as ``rest``."""
        if path.startswith(_EXTENSIONS):
            return Route(Kind.EXTENSION, rest=path.removeprefix(_EXTENSIONS), up=climb(rest))
        if path.startswith("/static/"):
            return Route(Kind.STATIC, rest=path.removeprefix("/static/"), up=climb(rest))
        return None


def climb(rest: str) -> str | None:
    """The relative reference from ``P`` + ``rest`` to ``P/``; ``None`` where only the caller knows (``rest`` empty)."""
    depth = rest.count("/")
    if depth == 0:
        return None
    return "../" * (depth - 1) or "./"


def thumbnail_path(url: str) -> str:
    """Where the thumbnail of the app at ``url`` is, below the prefix."""
    return "/_hotshoe/thumbnails" + url


def source_path(url: str) -> str:
    """Where the source of the app at ``url`` is, below the prefix."""
    return "/_hotshoe/source" + url


def to_app(path: str, url: str) -> str:
    """The relative reference from the index at ``path`` to the app at ``url``, right behind any prefix.

    The leading ``./`` keeps a colon in a name from being read as a scheme.
    """
    if path.endswith("/") or not path:
        return "." + url
    return "./" + path.rsplit("/", 1)[1] + url
