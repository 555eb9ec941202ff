"""The scripts that a browser needs for given models; sources of custom models.

In doubt the result has too much, never too little. Nothing here imports a module or runs node.
"""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bokeh
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.document import Document
from bokeh.embed.util import contains_tex_string
from bokeh.model import Model
from bokeh.models.glyphs import MathTextGlyph
from bokeh.models.text import MathText
from bokeh.models.widgets import TableWidget, Widget
from bokeh.util import compiler
from bokeh.util.compiler import Implementation

from ..base.errors import CompileError
from .bokeh_extensions import find_extension

BOKEHJS_COMPONENTS = ("bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax")
"""BokehJS's files, in the order of loading."""

_WIDGETS = frozenset({"bokeh-widgets"})
_TABLES = frozenset({"bokeh-widgets", "bokeh-tables"})
_MATH = frozenset({"bokeh-mathjax"})
EVERYTHING = frozenset(BOKEHJS_COMPONENTS[1:])
"""All of BokehJS but its first file."""
_NAMED_PARTS = {"Widgets": _WIDGETS, "Tables": _TABLES, "webgl": frozenset({"bokeh-gl"})}
"""Words of JavaScript beside the names of models: ``Bokeh.Widgets``, ``output_backend = "webgl"``."""
CODE_PROPERTIES = frozenset({"code", "major_code", "minor_code"})
_DOTTED_NAME = re.compile(r"[A-Za-z_][\w.]*")
_TEX_IN_CODE = ("$$", "\\\\(", "\\\\[")
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
    codes: tuple[str, ...]
    """Properties with JavaScript, which may make models itself."""


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
        known = _needs_of_class(type(model))
        needs |= known.always
        if known.draws and getattr(model, "output_backend", None) == "webgl":
            needs.add("bokeh-gl")
        if any(_has_tex(_value(model, name)) for name in known.texts):
            needs |= _MATH
        for name in known.codes if not needs >= EVERYTHING else ():
            if isinstance(code := _value(model, name), str):
                needs |= needs_of_code(code)
    return frozenset(needs)


def needs_of_document(document: Document) -> frozenset[str]:
    """The needs of the whole document, also of its ``js_on_event`` callbacks, which are not among its models."""
    callbacks = [callback for callbacks in document.callbacks.js_event_callbacks.values() for callback in callbacks]
    return needs_of([*document.models, *(model for callback in callbacks for model in callback.references())])


def needs_of_code(code: str) -> frozenset[str]:
    """The needs of the models that JavaScript names: ``Slider``, ``Bokeh.Tables.DataTable``, ``"panel.models.X"``."""
    models = HasProps.model_class_reverse_map
    needs: set[str] = set()
    for name in set(_DOTTED_NAME.findall(code)):
        for word in {name, *name.split(".")}:
            needs |= _NAMED_PARTS.get(word, frozenset())
            if (cls := models.get(word)) is not None:
                needs |= _needs_of_class(cls).always
    if any(mark in code for mark in _TEX_IN_CODE) and contains_tex_string(code):
        needs |= _MATH
    return frozenset(needs)


def models_of_bundles() -> dict[str, list[str]]:
    """The names of bokeh's models that are in a bundle other than the first, by bundle."""
    found: dict[str, list[str]] = {"bokeh-tables": [], "bokeh-widgets": []}
    for name, cls in sorted(HasProps.model_class_reverse_map.items()):
        if not cls.__module__.startswith("bokeh.models."):
            continue  # an app's custom model may be broken, which is its own matter
        needs = _bundles_of(cls)
        bundle = next((bundle for bundle in found if bundle in needs), None)
        if bundle is not None:
            found[bundle].append(name)
    return found


def custom_source(digest: str) -> CustomSource | None:
    """The source of a ``model:DIGEST`` that ``needs_of`` has returned in this process."""
    return _custom_sources.get(digest)


def _needs_of_class(cls: type[Any]) -> _ClassNeeds:
    known = _class_needs.get(cls)
    if known is None:
        names = cls.properties()
        known = _class_needs[cls] = _ClassNeeds(
            _bundles_of(cls), tuple(name for name in names if _may_hold_tex(cls, name)), "output_backend" in names,
            tuple(name for name in names if name in CODE_PROPERTIES))
    return known


def _bundles_of(cls: type[Any]) -> frozenset[str]:
    """The needs that all models of a class have."""
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
    return frozenset(always)


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
    return EVERYTHING | assets | {f"ext:{extension.path}"}


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
