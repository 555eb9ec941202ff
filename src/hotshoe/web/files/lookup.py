"""Finds the file of a route: a file of BokehJS, of an extension, or of an app."""

from __future__ import annotations

from functools import partial

from ...base.errors import RequestError
from ...base.files import checked_names
from ...hosts.host import AppInfo, FileName, Host
from ...pages.assets import bokehjs_dir
from ...seams.needs import find_extension
from ..routes import Kind, Route
from .requested_files import AppFile, PackagedFile, RequestedFile
from .static import StaticFiles

FILES = frozenset({Kind.STATIC, Kind.EXTENSION, Kind.APP_STATIC, Kind.THUMBNAIL})
"""The kinds of routes that are files."""


async def find_file(route: Route, host: Host, static: StaticFiles) -> RequestedFile | None:
    """The file of the route, which need not exist; ``None`` if the route has no file here."""
    app = route.app
    match route.kind:
        case Kind.STATIC:
            return PackagedFile(bokehjs_dir(), route.rest)
        case Kind.EXTENSION:
            find = partial(static.on_thread, partial(_of_extension, route.rest))
            return await static.find(("extension", route.rest), find)
        case Kind.THUMBNAIL if app is not None and app.thumbnail:
            return AppFile(host, FileName(app.url, "thumbnail"))
        case Kind.APP_STATIC if app is not None:
            key = "app static", app.url, str(app.has_static), route.rest
            return await static.find(key, partial(_of_app, app, route.rest, host, static))
    return None


async def _of_app(app: AppInfo, relative: str, host: Host, static: StaticFiles) -> RequestedFile | None:
    """A file of the app's own ``static`` folder; if it has no such file, the one that all apps share."""
    own = AppFile(host, FileName(app.url, "static", relative))
    if not app.has_static:
        return await static.on_thread(partial(_shared, relative))
    shared = await static.on_thread(partial(_existing_shared, relative))
    # Without a shared file, return the app's file even if it does not exist: otherwise clients without access could
    # find out which files exist.
    return shared if shared is not None and not await _exists(own) else own


async def _exists(file: AppFile) -> bool:
    try:
        await file.host.file(file.name)
    except RequestError as error:
        return error.status != 404
    return True


def _existing_shared(relative: str) -> PackagedFile | None:
    shared = _shared(relative)
    # This only chooses between two folders. The check whether the file may be served is made when it is served.
    try:
        exists = shared is not None and shared.root.joinpath(*checked_names(shared.relative)).is_file()
    except (OSError, ValueError, RequestError):
        return None
    return shared if exists else None


def _shared(relative: str) -> PackagedFile | None:
    """A file that every app has in its static folder."""
    if relative.startswith("extensions/"):
        return _of_extension(relative.removeprefix("extensions/"))
    return PackagedFile(bokehjs_dir(), relative)


def _of_extension(path: str) -> PackagedFile | None:
    name, _, relative = path.partition("/")
    extension = find_extension(name)
    return None if extension is None else PackagedFile(extension.file.parent, relative, extension.versions())
