"""Finds the file of a route: a file of BokehJS, of an extension, or of an app."""

from __future__ import annotations

from functools import partial

from ...base.errors import RequestError
from ...base.files import checked_names
from ...hosts.host import FileName, Host
from ...pages.assets import bokehjs_dir
from ...seams.bokeh_extensions import find_extension, is_known_extension, registered_folder
from ..routes import Kind, Route
from .requested_files import AppFile, PackagedFile, RequestedFile
from .static import StaticFiles

FILES = frozenset({Kind.STATIC, Kind.EXTENSION, Kind.APP_STATIC, Kind.THUMBNAIL, Kind.COMPONENT})
"""The kinds of routes that are files."""


async def find_file(route: Route, host: Host, static: StaticFiles) -> RequestedFile | None:
    """The file of the route, which need not exist; ``None`` if the route has no file here.

    Does not look into the folders of apps: a client without access must neither wait for their disks nor find out which
    files they have.
    """
    app = route.app
    match route.kind:
        case Kind.STATIC:
            return PackagedFile(bokehjs_dir(), route.rest)
        case Kind.EXTENSION:
            return await _of_extension(route.rest, static)
        case Kind.THUMBNAIL if app is not None and app.thumbnail:
            return AppFile(host, FileName(app.url, "thumbnail"))
        case Kind.APP_STATIC if app is not None and app.has_static:
            return AppFile(host, FileName(app.url, "static", route.rest))
        case Kind.APP_STATIC if app is not None:
            return await _shared(route.rest, static)
        case Kind.COMPONENT:
            apps = await component_apps(route, host)
            return AppFile(host, FileName(apps[0], "component", route.rest)) if apps else None
    return None


async def component_apps(route: Route, host: Host) -> list[str]:
    """The apps whose visitors may have the component's file: only the route's app if it has one."""
    return [url for url in await host.component_apps(route.rest) if route.app is None or url == route.app.url]


async def find_shared(route: Route, static: StaticFiles) -> PackagedFile | None:
    """The file that every app has at this route, if it exists. An app's own file of the same name comes first."""
    if route.kind is not Kind.APP_STATIC:
        return None
    try:
        shared = await _shared(route.rest, static)
        exists = shared is not None and await static.find(
            ("shared", route.rest), partial(static.look, shared.folder, partial(_exists, shared)))
    except RequestError:  # a disk does not respond
        return None
    return shared if exists else None


def _exists(shared: PackagedFile) -> bool:
    # This only chooses between two folders. The check whether the file may be served is made when it is served.
    try:
        return shared.root.joinpath(*checked_names(shared.relative)).is_file()
    except (OSError, ValueError, RequestError):
        return False


async def _shared(relative: str, static: StaticFiles) -> PackagedFile | None:
    """A file that every app has in its static folder."""
    if relative.startswith("extensions/"):
        return await _of_extension(relative.removeprefix("extensions/"), static)
    return PackagedFile(bokehjs_dir(), relative)


async def _of_extension(path: str, static: StaticFiles) -> PackagedFile | None:
    # To find an unknown one, Python looks into all folders of sys.path, of which one may be on a slow disk.
    name = path.partition("/")[0]
    folder = f"extension {name}" if is_known_extension(name) else "extensions"
    return await static.find(("extension", path), partial(static.look, folder, partial(_locate_extension, path)))


def _locate_extension(path: str) -> PackagedFile | None:
    name, _, relative = path.partition("/")
    extension, registered = find_extension(name), registered_folder(name)
    if extension is not None and (registered is None or registered.resolve() == extension.file.parent):
        return PackagedFile(extension.file.parent, relative, extension.versions(), "extension")
    return None if registered is None else PackagedFile(registered, relative, origin="extension")
