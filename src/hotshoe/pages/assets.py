"""The files behind a page's URLs: BokehJS, extensions and our own script, each known from the first request on."""

from __future__ import annotations

import hashlib
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


PAGE_SCRIPTS = ("signs.js", "busy.js", "failures.js", "hotshoe.js")


@cache
def page_script() -> Asset:
    """What is served as ``_hotshoe/page.js``: several files as one, which has its names for itself."""
    parts = "\n".join(map(read_script, PAGE_SCRIPTS))
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
