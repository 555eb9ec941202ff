"""Extensions: packages with models for BokehJS, and folders that a library has registered with bokeh.

Nothing here imports a module: names may come from URLs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bokeh.embed.bundle import extension_dirs
from bokeh.settings import settings


@dataclass(frozen=True, slots=True)
class Extension:
    """An installed package with models for BokehJS."""

    path: str
    """``NAME/FILE?v=…``, below ``static/extensions/``."""
    file: Path
    """The bundle; its folder is served."""
    cdn_url: str | None
    description: Path
    """The path of its ``package.json``, which may be missing."""

    def versions(self) -> frozenset[str]:
        """The values of ``?v=`` for its present files, in our and stock's pages and in Panel's. Blocks."""
        version = _read_package_json(self.description).get("version")
        return frozenset() if version is None else frozenset({str(version), _version_mark(version)})


def registered_folder(name: str) -> Path | None:
    """The folder that some code of this process has registered as ``static/extensions/NAME``."""
    folder = extension_dirs.get(name)
    return None if folder is None else Path(folder)


_extensions: dict[str, Extension] = {}


def is_known_extension(name: str) -> bool:
    """Whether the extension has been found already. Does not touch the disk."""
    return name in _extensions or name in extension_dirs


def find_extension(name: str) -> Extension | None:
    """The extension in a top-level package, found without importing it; ``None`` if the package has none."""
    # Misses are not kept: ``sys.path`` grows with the apps, and names may come from URLs.
    found = _extensions.get(name) or _locate_extension(name)
    if found is not None:
        _extensions[name] = found
    return found


def _locate_extension(name: str) -> Extension | None:
    folder = _package_folder(name)
    if folder is None or not (folder / "bokeh.ext.json").is_file():
        return None
    package = _read_package_json(folder / "package.json")
    main = package.get("module") or package.get("main")
    file = (folder / main).resolve() if main else _built_bundle(folder / "dist", name)
    if not file.is_relative_to(folder.resolve()):
        return None
    query = f"?v={_version_mark(package.get('version', 'latest'))}" if package and not settings.dev else ""
    npm_name = package.get("name")
    cdn_url = f"https://unpkg.com/{npm_name}@{package.get('version', 'latest')}/{main}" if npm_name and main else None
    return Extension(f"{name}/{file.name}{query}", file, cdn_url, folder / "package.json")


def _version_mark(version: Any) -> str:
    return hashlib.sha256(str(version).encode()).hexdigest()


def _package_folder(name: str) -> Path | None:
    """The folder of a package by the import system. Imports nothing: the name may come from a URL."""
    if not name.isidentifier() or name == "__main__":
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.has_location or spec.origin is None or spec.submodule_search_locations is None:
        return None
    return Path(spec.origin).parent


def _read_package_json(path: Path) -> dict[str, Any]:
    try:
        package = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return package if isinstance(package, dict) else {}


def _built_bundle(folder: Path, name: str) -> Path:
    minified = (folder / f"{name}.min.js").resolve()
    return minified if settings.minified() and minified.is_file() else (folder / f"{name}.js").resolve()
