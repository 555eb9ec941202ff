"""The scripts that a browser needs for given models; sources of custom models; extensions.

In doubt the result has too much, never too little. Nothing here imports a module or runs node.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bokeh
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.embed.util import contains_tex_string
from bokeh.model import Model
from bokeh.models.glyphs import MathTextGlyph
from bokeh.models.text import MathText
from bokeh.models.widgets import TableWidget, Widget
from bokeh.settings import settings
from bokeh.util import compiler
from bokeh.util.compiler import Implementation

from ..base.errors import CompileError

BOKEHJS_COMPONENTS = ("bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax")
"""BokehJS's files, in the order of loading."""

_WIDGETS = frozenset({"bokeh-widgets"})
_TABLES = frozenset({"bokeh-widgets", "bokeh-tables"})
_MATH = frozenset({"bokeh-mathjax"})
_EVERYTHING = frozenset(BOKEHJS_COMPONENTS[1:])
_RELATIVE_IMPORT = re.compile(r"""["'](\.{1,2}/[^"'\n]+)["']""")


@dataclass(frozen=True, slots=True)
class CustomSource:
    """The data for compiling a custom model, without its class, which is freed with its session.

    Its attributes are those that bokeh's bundler reads.
    """

    name: str
    full_name: str
    module: str
    path: str
    implementation: Implementation
    dependencies: dict[str, str]
    digest: str
    imports: tuple[CustomSource, ...] = ()
    """Other custom models that the code imports as ``custom/…``."""


@dataclass(frozen=True, slots=True)
class _ClassNeeds:
    always: frozenset[str]
    texts: tuple[str, ...]
    """Properties that need MathJax if they contain TeX."""
    draws: bool
    """Whether ``output_backend`` may be ``webgl``."""


_class_needs: weakref.WeakKeyDictionary[type[Any], _ClassNeeds] = weakref.WeakKeyDictionary()
_custom_sources: dict[str, CustomSource] = {}


def needs_of(models: Iterable[Model]) -> frozenset[str]:
    """The names of everything that the browser must load before it builds these models, except ``bokeh`` itself.

    A name is a component of BokehJS; ``ext:NAME/FILE`` (below ``static/extensions/``); ``model:DIGEST`` (a custom
    model of this app); ``js:URL…`` or ``css:URL…`` (files of a model class, separated by spaces). Raises
    ``CompileError`` if the code of a custom model cannot be read.
    """
    needs: set[str] = set()
    for model in models:
        known = _class_needs.get(type(model))
        if known is None:
            known = _class_needs[type(model)] = _examine(type(model))
        needs |= known.always
        if known.draws and getattr(model, "output_backend", None) == "webgl":
            needs.add("bokeh-gl")
        if any(_has_tex(_value(model, name)) for name in known.texts):
            needs |= _MATH
    return frozenset(needs)


def custom_source(digest: str) -> CustomSource | None:
    """The source of a ``model:DIGEST`` that ``needs_of`` has returned in this process."""
    return _custom_sources.get(digest)


def _examine(cls: type[Any]) -> _ClassNeeds:
    always = set(_assets_of(cls))
    if is_custom(cls):
        source = source_of(cls)
        always.add(f"model:{source.digest}")
        if "widgets" in source.implementation.code:
            always |= _TABLES
    else:
        always |= _extension_needs(cls)
    if issubclass(cls, TableWidget) or _is_within(cls, "bokeh.models.widgets.tables"):
        always |= _TABLES
    elif issubclass(cls, Widget) or _is_within(cls, "bokeh.models.widgets"):
        always |= _WIDGETS
    if issubclass(cls, (MathText, MathTextGlyph)):
        always |= _MATH
    names = tuple(name for name in cls.properties() if _may_hold_tex(cls, name))
    return _ClassNeeds(frozenset(always), names, "output_backend" in cls.properties())


def _is_within(cls: type[Any], module: str) -> bool:
    return f"{cls.__module__}.".startswith(f"{module}.")


def is_custom(cls: type[Any]) -> bool:
    return getattr(cls, "__implementation__", None) is not None


def _assets_of(cls: type[Any]) -> Iterator[str]:
    for kind, attribute in (("js", "__javascript__"), ("css", "__css__")):
        urls = getattr(cls, attribute, None)
        if urls:
            # One name for all URLs of a class keeps their order.
            package = cls.__module__.partition(".")[0]
            yield f"{kind}:{' '.join(_local(url, package) for url in ([urls] if isinstance(urls, str) else urls))}"


def _local(url: str, package: str) -> str:
    """This server's URL for a file of an extension whose class has its URL on a CDN; other URLs stay."""
    found = re.fullmatch(rf"https?://[^?#]*/{re.escape(package)}(?:@|/)[^/]+/dist/([^?#]+)", url)
    extension = find_extension(package) if found else None
    if found is None or extension is None or not (extension.file.parent / found[1]).is_file():
        return url
    return f"static/extensions/{package}/{found[1]}"


def _extension_needs(cls: type[Any]) -> frozenset[str]:
    """The needs of all models of an extension: they are in one file, which needs everything when it is loaded."""
    package = cls.__view_module__.partition(".")[0]
    extension = None if package == "bokeh" else find_extension(package)
    if extension is None:
        return frozenset()
    siblings = [other for other in HasProps.model_class_reverse_map.values() if _is_within(other, package)]
    assets = {need for other in siblings if not is_custom(other) for need in _assets_of(other)}
    return _EVERYTHING | assets | {f"ext:{extension.path}"}


def _may_hold_tex(cls: type[Any], name: str) -> bool:
    """Whether BokehJS typesets the property: it is ``TextLike``, or one of these strings of widgets."""
    if issubclass(cls, Widget) and name in ("text", "title"):
        return True
    return "MathString" in str(cls.lookup(name).property)


def _value(model: Model, name: str) -> Any:
    try:
        return getattr(model, name)
    except UnsetValueError:
        return None


def _has_tex(value: Any) -> bool:
    match value:
        case str():
            return ("$$" in value or "\\" in value) and contains_tex_string(value)
        case dict():
            return any(_has_tex(item) for item in value.values())
        case list() | tuple():
            return any(_has_tex(item) for item in value)
    return False


def source_of(cls: type[Any]) -> CustomSource:
    model = compiler.CustomModel(cls)
    try:
        implementation = model.implementation
        digest = _source_digest(model, implementation)
    except (OSError, ValueError, KeyError) as error:
        raise CompileError(f"custom model {cls.__name__} can't be read: {error}") from error
    source = _custom_sources.get(digest)
    if source is None:
        source = _custom_sources[digest] = CustomSource(
            model.name, model.full_name, model.module, model.path, implementation, dict(model.dependencies),
            digest, _imported_models(cls, implementation.code))
    return source


def _imported_models(cls: type[Any], code: str) -> tuple[CustomSource, ...]:
    if "custom/" not in code:
        return ()
    others = [other for other in HasProps.model_class_reverse_map.values() if is_custom(other) and other is not cls]
    return tuple(source_of(other) for other in others if compiler.CustomModel(other).module in code)


def _source_digest(model: compiler.CustomModel, implementation: Implementation) -> str:
    digest = hashlib.sha256()
    name = model.full_name if "custom/" in implementation.code else model.name
    for part in (bokeh.__version__, name, implementation.lang, repr(sorted(model.dependencies.items()))):
        digest.update(part.encode() + b"\0")
    for code in (implementation.code, *_imported_files(implementation.code, Path(model.path), set())):
        digest.update(hashlib.sha256(code.encode()).digest())
    return digest.hexdigest()[:32]


def _imported_files(code: str, folder: Path, seen: set[Path]) -> Iterator[str]:
    """The text of each file that the code imports by a relative path, directly or indirectly."""
    for name in _RELATIVE_IMPORT.findall(code):
        for path in [folder / name, *(folder / f"{name}{ending}" for ending in compiler.exts)]:
            if path.suffix in compiler.exts and path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                text = path.read_text(encoding="utf-8")
                yield text
                yield from _imported_files(text, path.parent, seen)


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


_extensions: dict[str, Extension] = {}


def is_known_extension(name: str) -> bool:
    """Whether the extension has been found already. Does not touch the disk."""
    return name in _extensions


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
