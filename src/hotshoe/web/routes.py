"""Maps a path to a resource. Pure: paths in, a route out.

The server has decoded the path. ``P/app`` and ``P/app/`` are one resource, and neither redirects to the other, because
proxies add and drop trailing slashes.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import Enum

from ..base.errors import RequestError
from ..hosts.host import AppInfo
from ..http.paths import normalized_prefix, path_below, path_without, reference_to_base


class Kind(Enum):
    """The kind of resource at a path."""

    PAGE = "page"
    SOCKET = "socket"
    METADATA = "metadata"
    AUTOLOAD = "autoload"
    APP_STATIC = "app static"
    INDEX = "index"
    STATIC = "static"
    EXTENSION = "extension"
    COMPONENT = "component"
    """A file of a component of Panel: with an app if it is below the app's URL."""
    ASSET = "asset"
    THUMBNAIL = "thumbnail"
    SOURCE = "source"
    FAVICON = "favicon"
    LOGIN = "login"
    HEALTH = "health"
    SITE = "site"
    """A URL of the site around the apps."""
    NOTHING = "nothing"


_READ = ("GET", "HEAD")
_METHODS = {Kind.SOCKET: ("GET",), Kind.AUTOLOAD: ("GET", "HEAD", "OPTIONS")}
_OWN = "/_hotshoe/"
_HEALTH = {"/_hotshoe/health": "", "/_hotshoe/health/alive": "alive"}
"""The paths of health checks. They are served below the prefix and without it, so that proxies need not know it."""
_EXTENSIONS = "/static/extensions/"
_COMPONENTS = "/components/"
_COMPONENT_NAMES = 4
"""``MODULE/CLASS/ATTRIBUTE/FILE``, with more names if the file is in a folder."""
_THUMBNAILS, _SOURCES = "/_hotshoe/thumbnails", "/_hotshoe/source"
_OF_APPS = {_THUMBNAILS: Kind.THUMBNAIL, _SOURCES: Kind.SOURCE}
COMPONENT = "embed.js"
"""The script of ``<bokeh-app>``. It is served below every path, as embedding pages know paths of apps, but not the
prefix."""
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
    def served_app(self) -> AppInfo:
        """The route's app. Raises ``RequestError`` if it has none."""
        if self.app is None:
            raise RequestError("There is no app at this address", status=404)
        return self.app

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that the resource supports."""
        return _METHODS.get(self.kind, _READ)


class Routes:
    """The map of one front.

    If a site is around the apps (``has_site``), it has all URLs but those of apps, login pages and extensions' files,
    and those below ``/_hotshoe/``. It still has views at the URLs of ``withdrawn`` apps: these respond with 404.
    """

    def __init__(self, apps: Mapping[str, AppInfo], prefix: str = "", *, login: Container[str] = (),
                 has_site: bool = False, withdrawn: Container[str] = ()) -> None:
        self._apps = apps
        self._withdrawn = withdrawn
        self._has_site = has_site
        self._login = login
        self._prefix = normalized_prefix(prefix)
        self._longest = max(map(len, apps), default=0)

    def resolve(self, path: str, root_path: str = "") -> Route:
        """The route of ``path``. The order is stock's: favicon, apps, index, static."""
        inside = path_without(path, root_path)
        if inside == "/favicon.ico" and not self._has_site:
            return Route(Kind.FAVICON)
        rest = path_below(inside, self._prefix)
        if (question := _HEALTH.get((inside if rest is None else rest).rstrip("/"))) is not None:
            return Route(Kind.HEALTH, rest=question)
        if rest is None:
            return Route(Kind.NOTHING)
        if (page := rest.rstrip("/")) in self._login:
            return Route(Kind.LOGIN, rest=page, up=reference_to_base(rest))
        return self._own(rest) or self._app(rest) or self._shared(rest)

    def _own(self, rest: str) -> Route | None:
        if not rest.startswith(_OWN):
            return self._own_of_app(rest)
        for base, kind in _OF_APPS.items():
            if (url := path_below(rest, base)) is not None:
                return Route(kind, self._apps.get(url.rstrip("/") or "/"), up=reference_to_base(rest))
        if (file := self._static(rest.removeprefix("/_hotshoe"), rest)) is not None:
            return file
        return Route(Kind.ASSET, self._apps.get("/"), rest=rest.removeprefix(_OWN), up=reference_to_base(rest))

    def _own_of_app(self, rest: str) -> Route | None:
        """One of our files below the URL of an app. Pages request it there, as a proxy may pass on nothing else."""
        head, mark, name = rest.partition(_OWN)
        app = self._at(head) if mark else None
        return None if app is None else Route(Kind.ASSET, app, rest=name, up=reference_to_base(rest))

    def _app(self, rest: str) -> Route | None:
        trimmed = rest.rstrip("/") or "/"
        if app := self._apps.get(trimmed):
            return Route(Kind.PAGE, app, up=reference_to_base(rest))
        head, _, tail = trimmed.rpartition("/")
        if (kind := _ENDPOINTS.get(tail)) and (app := self._at(head)):
            return Route(kind, app, up=reference_to_base(rest))
        file = self._app_static(rest) or self._component(rest)
        return self._of_no_app(rest, tail) if file is None and not rest.startswith("/static/") else file

    def _at(self, path: str) -> AppInfo | None:
        """The app at the beginning of a longer path. A proxy that passes ``/app`` on as ``/app/`` adds a slash."""
        return self._apps.get(path.rstrip("/") or "/")

    def _of_no_app(self, rest: str, tail: str) -> Route | None:
        """A script that embedding pages request below any path. If no app is there, the response says so."""
        if self._has_site and self._at(rest.removesuffix(f"/{tail}")) is None:
            return None
        if tail == COMPONENT:
            return Route(Kind.ASSET, rest=COMPONENT, up=reference_to_base(rest))
        return Route(Kind.AUTOLOAD, up=reference_to_base(rest)) if tail == "autoload.js" else None

    def _app_static(self, rest: str) -> Route | None:
        at = rest.find("/static/")
        while 0 <= at <= self._longest + 1:
            app = self._at(rest[:at])
            if app is not None and not (at == 0 and self._has_site and not app.has_static):  # a file of the site
                return Route(Kind.APP_STATIC, app, rest[at + len("/static/"):], up=reference_to_base(rest))
            at = rest.find("/static/", at + 1)
        return None

    def _component(self, rest: str) -> Route | None:
        """The file of a component, at Panel's URL or below an app, where a page's address with a slash leads."""
        head, _, name = rest.partition(_COMPONENTS)
        app = self._at(head) if head else None
        if name.count("/") < _COMPONENT_NAMES - 1 or (app is None and head) or head == "/static":
            return None
        return Route(Kind.COMPONENT, app, name, up=reference_to_base(rest))

    def _shared(self, rest: str) -> Route:
        if self._has_site:
            return self._of_site(rest)
        if rest in ("", "/"):
            return Route(Kind.INDEX, up=reference_to_base(rest))
        if rest == "/favicon.ico":
            return Route(Kind.FAVICON)
        return self._static(rest, rest) or Route(Kind.NOTHING, up=reference_to_base(rest))

    def _of_site(self, rest: str) -> Route:
        """A file of an extension stays at its URL; if the front finds that it does not exist, the site responds."""
        if (rest.rstrip("/") or "/") in self._withdrawn:
            return Route(Kind.NOTHING, up=reference_to_base(rest))
        file = self._static(rest, rest) if rest.startswith(_EXTENSIONS) else None
        return file or Route(Kind.SITE, up=reference_to_base(rest))

    @staticmethod
    def _static(path: str, rest: str) -> Route | None:
        """The file of BokehJS or of an extension that ``path`` names; ``rest`` is the path of the request."""
        if path.startswith(_EXTENSIONS):
            return Route(Kind.EXTENSION, rest=path.removeprefix(_EXTENSIONS), up=reference_to_base(rest))
        if path.startswith("/static/"):
            return Route(Kind.STATIC, rest=path.removeprefix("/static/"), up=reference_to_base(rest))
        return None


def thumbnail_path(url: str) -> str:
    """The path of an app's thumbnail below the prefix."""
    return _THUMBNAILS + url


def source_path(url: str) -> str:
    """The path of an app's source below the prefix."""
    return _SOURCES + url
