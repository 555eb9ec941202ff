"""The files behind a page's URLs: BokehJS, extensions and our own script, each known from the first request on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bokeh.settings import settings

from ..needs import find_extension
from .scripting import read_script


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of ours, ready to be sent."""

    body: bytes
    version: str
    """Changes with the content; what stands in ``?v=`` and in the ETag."""
    content_type: str


STATIC = "static"
"""Where BokehJS is below the prefix, as in stock: people alias it to bokeh's own folder."""
OWN_STATIC = "_hotshoe/static"
"""Where it is, too. Pages ask for it there in a site of somebody else, who has a ``static`` of their own."""

PAGE_SCRIPTS = ("address.js", "signs.js", "busy.js", "failures.js", "closing.js", "framed.js", "hotshoe.js")
COMPONENT_SCRIPTS = ("loads.js", "shows.js", "notices.js", "plans.js", "component.js")


@cache
def page_script() -> Asset:
    """What is served as ``_hotshoe/page.js``."""
    return _as_one(PAGE_SCRIPTS)


@cache
def component_script() -> Asset:
    """What is served as ``_hotshoe/embed.js``, and below each app: the ``<bokeh-app>`` element."""
    return _as_one(COMPONENT_SCRIPTS)


def _as_one(names: Sequence[str]) -> Asset:
    """Several files as one, which has its names for itself."""
    parts = "\n".join(map(read_script, names))
    body = f'(function () {{\n"use strict";\n\n{parts}}})();\n'.encode()
    return Asset(body, hashlib.sha512(body).hexdigest(), "application/javascript")


def bokehjs_dir() -> Path:
    """The folder served as ``static/``."""
    return Path(settings.bokehjs_path())


@cache
def file_version(path: Path) -> str:
    """The SHA-512 of a file's content in hexadecimal, as stock puts it into ``?v=``; read once per process."""
    return hashlib.sha512(path.read_bytes()).hexdigest()


def extension_dir(name: str) -> Path | None:
    """The folder served as ``static/extensions/NAME/``; ``None`` if there is no such extension."""
    extension = find_extension(name)
    return extension.file.parent if extension is not None else None
