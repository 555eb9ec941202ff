"""The responses that need no session: the index, sources, and our own scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, Response

from ..base.errors import CompileError, ConfigError, RequestError
from ..base.named_files import in_time, read_named, reason_of
from ..base.process_threads import in_thread
from ..config import Settings
from ..hosts.host import AppInfo, FileName, Host
from ..http import responses
from ..http.paths import base_of, normalized_prefix, reference_from_base
from ..http.requests import arguments_of, header, last, prefix_is_told, request_of
from ..http.responses import NO_STORE
from ..http.scopes import Scope
from ..pages.assets import Asset, component_script, page_script, script_json
from . import own_pages
from .files.negotiation import matches
from .files.requested_files import AppFile, read_all
from .files.static import StaticFiles
from .gate.gatekeeper import Gatekeeper, Visitor
from .route_table import RouteTable
from .routes import Route, thumbnail_path

_OWN_SCRIPTS = {"page.js": page_script, "embed.js": component_script}
_FOR_ALL = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""For scripts that are the same for all users. Pages of other sites may load them, also as modules."""
_IMMUTABLE = "public, max-age=31536000, immutable"


class OwnAnswers:
    """The index, the sources and the icon."""

    def __init__(self, host: Host, settings: Settings, gate: Gatekeeper, table: RouteTable) -> None:
        self._host = host
        self._table = table
        self._gate = gate
        self._settings = settings
        self._own_index: OwnIndex | None = None
        if settings.index is not None:
            self._own_index = OwnIndex(settings.index, prefix=settings.prefix, fresh=settings.dev)
        self._icon = own_pages.icon(settings.ico_path)

    async def index(self, scope: Scope, route: Route) -> Response:
        """The list of apps, or a redirect to the only one."""
        if self._settings.disable_index:
            return own_pages.error_page(404)
        apps = list(self._table.apps.values())
        only = len(apps) == 1 and not self._settings.disable_index_redirect
        apps, visitor = await self._gate.visible(scope, route, apps)
        if only:
            base = base_of(scope, normalized_prefix(self._settings.prefix)) if prefix_is_told(scope) else None
            return own_pages.index_redirect(apps[0], scope["path"], base)
        if self._own_index is not None:
            return await in_thread(self._own_index.answer, scope, apps, visitor)
        return own_pages.index_page(apps, scope["path"], with_source=self._settings.show_source,
                                    visitor=visitor)

    async def source(self, scope: Scope, route: Route) -> Response:
        """An app's main file, if the settings allow that."""
        if not self._settings.show_source or route.app is None or not route.app.source:
            raise RequestError("There is no source at this address", status=404)
        file = AppFile(self._host, FileName(route.app.url, "source"))
        program = await read_all(file, await self._host.file(file.name))
        return await in_thread(own_pages.source_page, route.app, program.decode(), route.up)

    async def favicon(self, scope: Scope, route: Route) -> Response:
        """The icon, if there is one."""
        return own_pages.error_page(404) if self._icon is None else self._icon


class Assets:
    """The scripts that are not files: our own scripts, and compiled models."""

    def __init__(self, host: Host, static: StaticFiles) -> None:
        self._host = host
        self._static = static

    async def answer(self, scope: Scope, route: Route) -> Response:
        """The script at the route."""
        if (own := _OWN_SCRIPTS.get(route.rest)) is not None:
            return await self._own_script(scope, own())
        digest = route.rest.removeprefix("models/").removesuffix(".js")
        if route.rest != f"models/{digest}.js":
            return own_pages.error_page(404)
        try:
            source = await self._host.model_script(digest)
        except CompileError as error:
            return responses.script(f"console.error({script_json(str(error))});\n", 500, NO_STORE)
        if source is None:
            return own_pages.error_page(404)
        return await self._script(scope, source.encode(), digest, {"Cache-Control": _IMMUTABLE})

    async def _own_script(self, scope: Scope, asset: Asset) -> Response:
        asked = last(arguments_of(scope.get("query_string", b"")), "v")
        headers = {"Cache-Control": _IMMUTABLE if asked == asset.version else "no-cache", **_FOR_ALL}
        return await self._script(scope, asset.body, asset.version, headers)

    async def _script(self, scope: Scope, body: bytes, version: str, headers: Mapping[str, str]) -> Response:
        """A script, compressed if the browser accepts that; 304 if the browser has this version."""
        headers = {**headers, "Vary": "Accept-Encoding"}
        if matches(header(scope, b"if-none-match") or "", version):
            return responses.script(b"", 304, {**headers, "ETag": f'"{version}"'})
        compressed = await self._static.encode(body, header(scope, b"accept-encoding") or "")
        if compressed is None:
            return responses.script(body, headers={**headers, "ETag": f'"{version}"'})
        encoding, body = compressed
        headers |= {"ETag": f'"{version}-{encoding}"', "Content-Encoding": encoding}
        return responses.script(body, headers=headers)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An app for the template."""

    url: str
    title: str
    description: str
    href: str
    """A relative reference to the app, so that it works behind any proxy."""
    thumbnail: str | None
    """A relative reference to its picture, if it has one."""


class OwnIndex:
    """The index from the operator's template. ``fresh`` reads the file again for each page. Raises ``ConfigError``."""

    def __init__(self, file: str, *, prefix: str, fresh: bool = False) -> None:
        self._file = Path(file).absolute()
        self._prefix = normalized_prefix(prefix)
        self._fresh = fresh
        self._template = self._load()

    def answer(self, scope: Scope, apps: Iterable[AppInfo], visitor: Visitor) -> Response:
        """The page. Raises the template's exceptions."""
        template = self._load() if self._fresh else self._template
        return HTMLResponse(template.generate(**self._names(scope, apps, visitor)), headers=NO_STORE)

    def _load(self) -> Any:
        # Imported late, as only this needs tornado, which is installed with bokeh.
        from tornado.template import Loader, ParseError

        try:
            read_named(self._file)  # raises what loading might wait for
            return in_time(partial(Loader(str(self._file.parent)).load, self._file.name))
        except OSError as error:
            raise ConfigError(f"--index: {error.filename or self._file} can't be read: {reason_of(error)}") from error
        except ParseError as error:
            where = f"{self._file.parent / (error.filename or self._file.name)}:{error.lineno}"
            raise ConfigError(f"--index: {where}: {error.message}") from error
        except (SyntaxError, UnicodeDecodeError) as error:  # of the Python in it
            raise ConfigError(f"--index: {self._file}: {error}") from error

    def _names(self, scope: Scope, apps: Iterable[AppInfo], visitor: Visitor) -> dict[str, Any]:
        request, entries = request_of(scope), sorted(apps, key=lambda app: app.url)
        prefix = base_of(scope, self._prefix)
        return {
            "prefix": prefix,
            "items": [app.url for app in entries],
            "apps": [_entry(app, request.path) for app in entries],
            "request": request,
            "current_user": visitor.name or None,
            "login_url": visitor.login,
            "logout_url": visitor.logout,
            "static_url": lambda path: f"{prefix}/static/{path}",
            "_": _untranslated,
        }


def _entry(app: AppInfo, index: str) -> IndexEntry:
    thumbnail = reference_from_base(index, thumbnail_path(app.url)) if app.thumbnail else None
    return IndexEntry(app.url, app.title, app.description, reference_from_base(index, app.url), thumbnail)


def _untranslated(text: str, plural: str | None = None, count: int | None = None) -> str:
    return text if plural is None or count == 1 else plural
