"""What the server itself answers: the index, sources, scripts of ours; and which folder a file is served from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from ..apps.source import source_text
from ..auth.redirects import base_of
from ..config import Settings
from ..errors import CompileError, RequestError
from ..hosts.host import Host
from ..pages.assets import Asset, bokehjs_dir, component_script, extension_dir, page_script
from ..pages.models import model_script
from ..pages.scripting import script_json
from . import answers, own_pages
from .answers import NO_STORE, Answer, Scope
from .app_answers import app_of
from .conditions import matches
from .files import segments
from .gatekeeper import Gatekeeper
from .own_index import OwnIndex
from .proxies import prefix_is_told
from .requests import arguments_of, header, last
from .routes import Kind, Route, normalized_prefix
from .static import StaticFiles

_OWN_SCRIPTS = {"page.js": page_script, "embed.js": component_script}
_FOR_ALL = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""The same for everyone, and asked for by other sites, as a module too."""
_IMMUTABLE = "public, max-age=31536000, immutable"


class OwnAnswers:
    """The answers that need no session."""

    def __init__(self, host: Host, settings: Settings, gate: Gatekeeper) -> None:
        self._host = host
        self._gate = gate
        self._settings = settings
        self._own_index: OwnIndex | None = None
        if settings.index is not None:
            self._own_index = OwnIndex(settings.index, prefix=settings.prefix, fresh=settings.dev)
        self._icon = own_pages.icon(settings.ico_path)

    async def index(self, scope: Scope, route: Route) -> Answer:
        """The apps, or the way to the only one."""
        if self._settings.disable_index:
            return own_pages.error_page(404)
        apps = list(self._host.apps.values())
        only = len(apps) == 1 and not self._settings.disable_index_redirect
        apps, visitor = await self._gate.visible(scope, route, apps)
        if only:
            base = base_of(scope, normalized_prefix(self._settings.prefix)) if prefix_is_told(scope) else None
            return own_pages.index_redirect(apps[0], scope["path"], base)
        if self._own_index is not None:
            return await asyncio.to_thread(self._own_index.answer, scope, apps, visitor)
        return own_pages.index_page(apps, scope["path"], with_source=self._settings.show_source,
                                    visitor=visitor)

    async def source(self, scope: Scope, route: Route) -> Answer:
        """An app's main file, where that may be seen."""
        if not self._settings.show_source or route.app is None or route.app.source is None:
            raise RequestError("There is no source to be seen at this address", status=404)
        program = await asyncio.to_thread(source_text, Path(route.app.source))
        return await asyncio.to_thread(own_pages.source_page, route.app, program, route.up)

    async def favicon(self, scope: Scope, route: Route) -> Answer:
        """The icon, if there is one."""
        return own_pages.error_page(404) if self._icon is None else self._icon


class Assets:
    """The scripts that are not files: the page's own, and compiled models."""

    def __init__(self, static: StaticFiles) -> None:
        self._static = static

    async def answer(self, scope: Scope, route: Route) -> Answer:
        """The script that the route names."""
        if (own := _OWN_SCRIPTS.get(route.rest)) is not None:
            return await self._own_script(scope, own())
        digest = route.rest.removeprefix("models/").removesuffix(".js")
        if route.rest != f"models/{digest}.js":
            return own_pages.error_page(404)
        try:
            source = await asyncio.to_thread(model_script, digest)  # node may have to run first
        except CompileError as error:
            return answers.script(f"console.error({script_json(str(error))});\n", 500, NO_STORE)
        if source is None:
            return own_pages.error_page(404)
        return await self._script(scope, source.encode(), digest, {"Cache-Control": _IMMUTABLE})

    async def _own_script(self, scope: Scope, asset: Asset) -> Answer:
        asked = last(arguments_of(scope.get("query_string", b"")), "v")
        headers = {"Cache-Control": _IMMUTABLE if asked == asset.version else "no-cache", **_FOR_ALL}
        return await self._script(scope, asset.body, asset.version, headers)

    async def _script(self, scope: Scope, body: bytes, version: str, headers: Mapping[str, str]) -> Answer:
        """A script of ours, compressed where the browser takes it; nothing if it has this version."""
        headers = {**headers, "Vary": "Accept-Encoding"}
        if matches(header(scope, b"if-none-match") or "", version):
            return Answer(b"", 304, answers.SCRIPT, {**headers, "ETag": f'"{version}"'})
        compressed = await self._static.encoded(body, header(scope, b"accept-encoding") or "")
        if compressed is None:
            return Answer(body, 200, answers.SCRIPT, {**headers, "ETag": f'"{version}"'})
        tag = f'"{version}-{compressed.encoding}{compressed.level}"'
        headers |= {"ETag": tag, "Content-Encoding": compressed.encoding}
        return Answer(compressed.body, 200, answers.SCRIPT, headers)


def folder_of(route: Route) -> tuple[Path, str, bool] | None:
    """The folder to serve the route's file from, the path in it, and whether a package manager owns it."""
    if route.kind is Kind.STATIC:
        return bokehjs_dir(), route.rest, True
    if route.kind is Kind.EXTENSION:
        name, _, relative = route.rest.partition("/")
        folder = extension_dir(name)
        return None if folder is None else (folder, relative, True)
    if route.kind is Kind.THUMBNAIL and route.app is not None and route.app.thumbnail is not None:
        picture = Path(route.app.thumbnail)
        return picture.parent, picture.name, False
    if route.kind is not Kind.APP_STATIC:
        return None
    own, shared = app_of(route).static_dir, _shared(route.rest)
    if own is None or (shared is not None and _is_file(*shared[:2]) and not _is_file(Path(own), route.rest)):
        return shared
    # Also what is not there: else who is not let in could find out what is.
    return Path(own), route.rest, False


def _shared(relative: str) -> tuple[Path, str, bool] | None:
    """What every app has in its static folder."""
    if relative.startswith("extensions/"):
        return folder_of(Route(Kind.EXTENSION, rest=relative.removeprefix("extensions/")))
    return bokehjs_dir(), relative, True


def _is_file(root: Path, relative: str) -> bool:
    # Only chooses between two folders; whether the file may be served is for StaticFiles to say.
    try:
        return root.joinpath(*segments(relative)).is_file()
    except (OSError, ValueError, RequestError):
        return False
