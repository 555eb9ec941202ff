"""The tags that load BokehJS, extensions and custom models; equal for documents with the same needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bokeh.core.templates import FILE
from bokeh.resources import Resources
from bokeh.settings import settings
from jinja2 import Template

from ..http.paths import segments
from ..seams.bokeh_extensions import find_extension
from ..seams.needs import BOKEHJS_COMPONENTS, EVERYTHING, needs_of_document
from ..seams.panel import panel_page
from .assets import STATIC, bokehjs_dir, compact_code, file_version, page_script, script_json, script_tag
from .custom_models import compile_model

if TYPE_CHECKING:
    from bokeh.document import Document


_SHIM_OPTIONS = '<script type="esms-options">{"shimMode": true}</script>'
"""For components of Panel with an import map. es-module-shims reads it when it starts, so it comes first."""
_NAME_MISSING = "if (window._hotshoe && _hotshoe.name_missing) _hotshoe.name_missing(Bokeh);"


@dataclass(frozen=True, slots=True)
class Tags:
    """``bokeh_css`` and ``bokeh_js`` of templates."""

    css: str
    js: str
    base: Template = FILE
    """The template of pages without their own, which other templates extend."""
    needs: frozenset[str] = EVERYTHING
    """The needs that are loaded."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The settings for our page script; see ``render_page``."""

    busy_sign: bool
    max_message_bytes: int


@dataclass(frozen=True, slots=True)
class Flavour:
    """How to load BokehJS, from bokeh's settings."""

    mode: str
    minified: bool
    dev: bool
    log_level: str
    static: str = STATIC
    """The server's path of BokehJS."""

    @classmethod
    def from_settings(cls, static: str = STATIC) -> Flavour:
        """From ``BOKEH_RESOURCES``, ``BOKEH_MINIFIED``, ``BOKEH_LOG_LEVEL`` and ``BOKEH_DEV``."""
        resources = Resources(mode=settings.resources(default="server"))
        return cls(resources.mode, resources.minified, resources.dev, resources.log_level, static)

    def file_name(self, component: str) -> str:
        """The name of a component's file in BokehJS's folder ``js``."""
        return f"{component}{'.min' if self.minified else ''}.js"


def bundle_for(document: Document, *, app_url: str, nonce: str, busy_sign: bool = True, static: str = STATIC,
               max_message_bytes: int = 0, more: frozenset[str] = frozenset()) -> Tags:
    """The tags for a document, and for ``more`` needs. Compiles its custom models first; raises ``CompileError``."""
    flavour = Flavour.from_settings(static)
    config = Behaviour(busy_sign, max_message_bytes)
    needs = needs_of_document(document) | more
    depth = len(segments(app_url))
    if flavour.mode == "server":
        return _with_panel(document, _server_tags(needs, depth, flavour, nonce, config), needs, flavour)
    return _other_tags(needs, depth, flavour, nonce, config)


def script_urls(needs: Iterable[str], flavour: Flavour) -> list[str]:
    """The scripts for these needs, in order: scripts of model classes, BokehJS, extensions, custom models."""
    wanted = set(needs) | {"bokeh"}
    return [
        *_split(sorted(_named(wanted, "js:"))),
        *(component_url(name, flavour) for name in BOKEHJS_COMPONENTS if name in wanted),
        *(f"static/extensions/{path}" for path in sorted(_named(wanted, "ext:"))),
        *model_urls(wanted),
    ]


def model_urls(needs: Iterable[str]) -> list[str]:
    """The scripts of the custom models among these needs."""
    return [f"_hotshoe/models/{digest}.js" for digest in sorted(_named(needs, "model:"))]


def style_urls(needs: Iterable[str]) -> list[str]:
    """The style sheets of model classes."""
    return _split(sorted(_named(needs, "css:")))


def component_url(component: str, flavour: Flavour) -> str:
    """The URL of a BokehJS component, with the file's version."""
    name = flavour.file_name(component)
    return f"{flavour.static}/js/{name}?v={file_version(bokehjs_dir() / 'js' / name)}"


def log_script(flavour: Flavour) -> str:
    """The script that configures BokehJS when it has loaded."""
    dev = "\nBokeh.settings.dev = true;" if flavour.dev else ""
    return f"Bokeh.set_log_level({script_json(flavour.log_level)});{dev}"


def compile_models(needs: Iterable[str]) -> list[str]:
    """Compile the custom models among these needs. Returns their scripts. Raises ``CompileError``."""
    return [compile_model(digest) for digest in sorted(_named(needs, "model:"))]


def _named(needs: Iterable[str], kind: str) -> list[str]:
    return [need.removeprefix(kind) for need in needs if need.startswith(kind)]


def _split(lists: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(url for urls in lists for url in urls.split()))


def _with_panel(document: Document, tags: Tags, needs: frozenset[str], flavour: Flavour) -> Tags:
    found = panel_page(document, _loaded_urls(needs, flavour))
    if found is None:
        return tags
    css, js, base = found
    return Tags(f"{tags.css}\n{css}", f"{tags.js}\n{js}", base, needs)


@lru_cache(maxsize=128)
def _loaded_urls(needs: frozenset[str], flavour: Flavour) -> tuple[str, ...]:
    return (*script_urls(needs, flavour), *style_urls(needs))


@lru_cache(maxsize=128)
def _server_tags(needs: frozenset[str], depth: int, flavour: Flavour, nonce: str, config: Behaviour) -> Tags:
    compile_models(needs)
    page_js = f"_hotshoe/page.js?v={page_script().version}"
    load = _load_tag([page_js, *script_urls(needs, flavour)], [], depth, nonce, _config(needs, flavour, config))
    after = f"{log_script(flavour)}\n{_NAME_MISSING}"
    return Tags(
        css=_load_tag([], style_urls(needs), depth, nonce) if style_urls(needs) else "",
        js=f"{load}\n{script_tag(after, nonce=nonce)}",
        needs=needs,
    )


def _load_tag(js: list[str], css: list[str], depth: int, nonce: str, config: Any = None) -> str:
    plan = {"depth": depth, "js": js, "css": css, "config": config}
    tag = script_tag(f"{compact_code('load.js')}({script_json(plan)});", nonce=nonce)
    return f"{_SHIM_OPTIONS}\n{tag}" if any("/es-module-shims" in url for url in js) else tag


def _config(needs: Iterable[str], flavour: Flavour, config: Behaviour) -> dict[str, Any]:
    """The data for our page script, which uses it to load more later."""
    return {
        "loaded": sorted({"bokeh", *needs}),
        "components": {name: component_url(name, flavour) for name in BOKEHJS_COMPONENTS},
        "busy_sign": config.busy_sign,
        "max_message_bytes": config.max_message_bytes,
    }


def _other_tags(needs: frozenset[str], depth: int, flavour: Flavour, nonce: str, config: Behaviour) -> Tags:
    """Tags with BokehJS from another source (``cdn``, ``inline``, …): all components, since these load as a whole."""
    resources = Resources(mode=settings.resources(default="server"))
    urls, raw = list(resources.js_files), list(resources.js_raw)
    for name in sorted(_named(needs, "ext:")):
        _add_extension(name, flavour, urls, raw)
    scripts = compile_models(needs)
    page_js = f"_hotshoe/page.js?v={page_script().version}"
    if flavour.mode == "inline":
        raw = [page_script().body.decode(), *raw, *scripts]
    else:
        urls = [page_js, *urls, *model_urls(needs)]
    load = _load_tag(urls, [], depth, nonce, _config({*BOKEHJS_COMPONENTS, *needs}, flavour, config))
    css = _load_tag([], list(resources.css_files), depth, nonce) if resources.css_files else ""
    return Tags(css=css, js="\n".join([load, *(script_tag(_escape(code), nonce=nonce) for code in raw)]))


def _add_extension(path: str, flavour: Flavour, urls: list[str], raw: list[str]) -> None:
    extension = find_extension(path.partition("/")[0])
    if extension is None:
        return
    if flavour.mode == "cdn" and extension.cdn_url is not None:
        urls.append(extension.cdn_url)
    elif flavour.mode in ("inline", "cdn"):
        raw.append(_text(extension.file))
    else:
        urls.append(str(extension.file))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _escape(code: str) -> str:
    """JavaScript in which no string can end or hide its script element."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
