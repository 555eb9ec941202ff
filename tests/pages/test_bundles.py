from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models.widgets import DataTable, Div, Slider
from bokeh.plotting import figure

from hotshoe.pages.assets import bokehjs_dir
from hotshoe.pages.bundles import bundle_for

LOADER_OPTIONS = '<script type="esms-options">{"shimMode": true}</script>'


def js_of(*roots: Model, app_url: str = "/app") -> str:
    doc = Document()
    for root in roots:
        doc.add_root(root)
    return bundle_for(doc, app_url=app_url, nonce="NONCE").js


def plan_of(tags: str) -> Any:
    match = re.search(r"\}\)\((\{.*\})\);", tags)
    assert match is not None
    return json.loads(match[1])


def names_of(tags: str) -> list[str]:
    return [url.partition("?")[0].rpartition("/")[2] for url in plan_of(tags)["js"]]


def test_only_what_is_needed_is_loaded_in_stocks_order() -> None:
    assert names_of(js_of(figure())) == ["page.js", "bokeh.min.js"]
    assert names_of(js_of(Slider(start=0, end=1, value=0))) == ["page.js", "bokeh.min.js", "bokeh-widgets.min.js"]
    everything = js_of(DataTable(), figure(output_backend="webgl"), Div(text="$$x$$"))
    assert names_of(everything) == ["page.js", "bokeh.min.js", "bokeh-gl.min.js", "bokeh-widgets.min.js",
                                    "bokeh-tables.min.js", "bokeh-mathjax.min.js"]


def test_urls_carry_the_hash_of_the_content() -> None:
    url = plan_of(js_of(figure()))["js"][1]
    content = (bokehjs_dir() / "js" / "bokeh.min.js").read_bytes()
    assert url == f"static/js/bokeh.min.js?v={hashlib.sha512(content).hexdigest()}"


def test_the_page_script_knows_what_is_loaded_and_where_the_rest_is() -> None:
    config = plan_of(js_of(figure()))["config"]
    assert config["loaded"] == ["bokeh"]
    assert set(config["components"]) == {"bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax"}


@pytest.mark.parametrize(("app_url", "depth"), [("/", 0), ("/app", 1), ("/a/b/c", 3)])
def test_depth_is_the_number_of_the_apps_segments(app_url: str, depth: int) -> None:
    assert plan_of(js_of(app_url=app_url))["depth"] == depth


def test_settings_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'Bokeh.set_log_level("info");' in js_of()
    monkeypatch.setenv("BOKEH_LOG_LEVEL", "debug")
    monkeypatch.setenv("BOKEH_MINIFIED", "no")
    assert names_of(js_of()) == ["page.js", "bokeh.js"]
    assert 'Bokeh.set_log_level("debug");' in js_of()


def test_cdn_gives_addresses_and_all_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKEH_RESOURCES", "cdn")
    urls = [url for url in plan_of(js_of(figure()))["js"] if url.startswith("https://cdn.bokeh.org/")]
    assert len(urls) == 5


def test_inline_holds_bokehjs_without_breaking_its_script_element(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKEH_RESOURCES", "inline")
    tags = js_of(figure())
    assert "BEGIN bokeh.min.js" in tags
    scripts = tags.removeprefix(LOADER_OPTIONS)  # if this process has imported Panel
    assert scripts.count("</script") == scripts.count("<script nonce=")
    assert "<!--" not in tags
    # What is left to load is what extensions that this process has imported ask for.
    assert [name for name in names_of(tags) if name.startswith(("bokeh", "page."))] == []


def test_options_of_panel_s_module_loader_come_before_it() -> None:
    class Mapped(Model):
        __javascript__ = ["static/extensions/panel/bundled/es-module-shims@1/dist/es-module-shims.min.js"]

    document = Document()
    document.add_root(Mapped())
    js = bundle_for(document, app_url="/app", nonce="n").js
    assert js.index(LOADER_OPTIONS) < js.index("es-module-shims@1")
    assert "esms-options" not in bundle_for(Document(), app_url="/app", nonce="n").js
