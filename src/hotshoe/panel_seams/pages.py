"""Pages of documents with Panel components: what they load, from this server or from none."""

from __future__ import annotations

import base64
import importlib
import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from bokeh.document import Document
from bokeh.models import ImportedStyleSheet
from bokeh.resources import Resources
from jinja2 import Template

from .state import panel_state


@dataclass(frozen=True, slots=True)
class PanelPage:
    """What a page with Panel components has beside BokehJS and the extension's bundle."""

    css: str
    js: str
    base: Template
    """What takes the place of bokeh's own page template."""


def panel_page(document: Document, loaded: Iterable[str]) -> PanelPage | None:
    """What Panel adds to a document's page, if it has a part in it; ``loaded`` are URLs that are loaded anyway.

    Its files come from this server. To be called with the document's lock held.
    """
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return None
    resources: Any = sys.modules["panel.io.resources"]
    localize_styles(document, _local_dist(state, document))
    files = resources.Resources(mode="server")
    known = set(map(_plain_url, loaded))
    bundle = resources.Bundle(
        css_files=_others(files.css_files, known),
        css_raw=files.css_raw,
        js_files=_others(files.js_files, known),
        js_modules=files.js_modules,
        js_module_exports=files.js_module_exports,
        hashes={},
        **_declarations(files),
    )
    document.template_variables["theme_name"] = sys.modules["panel.config"].config.theme
    return PanelPage(bundle._render_css(), bundle._render_js(), resources.BASE_TEMPLATE)


def _declarations(files: Any) -> dict[str, Any]:
    declared = getattr(files, "resource_declarations", None)  # since 1.10
    return {} if declared is None else {"resource_declarations": declared}


def _others(urls: Iterable[Any], known: set[str]) -> list[Any]:
    return [url for url in urls if _plain_url(str(url)) not in known and "static/js/bokeh" not in str(url)]


def _plain_url(url: str) -> str:
    path = url.partition("?")[0].removeprefix("./")
    while path.startswith("../"):
        path = path.removeprefix("../")
    return path


def _local_dist(state: Any, document: Document) -> str:
    up = state._rel_paths.get(document, "")
    return f"{up}/static/extensions/panel/" if up else "static/extensions/panel/"


def localize_styles(document: Document, dist_url: str) -> None:
    """Let the style sheets of Panel's components, present and future, come from below ``dist_url``."""
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return
    document.template_variables["dist_url"] = dist_url
    # Not by Panel's ``patch_model_css``, which leaves the document of a session that runs under a hold.
    for sheet in (sheet for root in document.roots for sheet in root.select({"type": ImportedStyleSheet})):
        sys.modules["panel.io.resources"].patch_stylesheet(sheet, dist_url)


def panel_file(document: Document, mode: str, title: str | None, template: Any) -> str | None:
    """The document as a page that needs no server, if Panel has a part in it; with ``mode`` inline, complete."""
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return None
    resources: Any = sys.modules["panel.io.resources"]
    panel_template = state._templates.get(document)
    if panel_template is None:
        for model in list(document.models):
            for name, url in model.properties_with_values(include_defaults=True).items():
                if isinstance(url, str) and _plain_url(url).startswith((resources.LOCAL_DIST, resources.CDN_DIST)):
                    setattr(model, name, _style_from_elsewhere(resources, url, inline=mode == "inline"))
    page = io.StringIO()
    importlib.import_module("panel.io.save").save(
        document if panel_template is None else panel_template, page, title=title or document.title,
        resources=Resources(mode=cast(Any, mode)), template=template,
        template_variables=document.template_variables if panel_template is None else None)
    return page.getvalue()


def _style_from_elsewhere(resources: Any, url: str, *, inline: bool) -> str:
    """Where a style sheet of Panel's is without this server: on its CDN, or in the URL itself."""
    name = _plain_url(url).removeprefix(resources.LOCAL_DIST).removeprefix(resources.CDN_DIST)
    file = resources.DIST_DIR / name
    if "://" in name or not file.is_file():
        return url
    if not inline:
        return f"{resources.CDN_DIST}{name}"
    return "data:text/css;base64," + base64.b64encode(file.read_bytes()).decode()
