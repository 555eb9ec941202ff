from __future__ import annotations

import json
import re
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.layouts import row
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import figure
from jinja2 import Template

from hotshoe.base.errors import TokenError
from hotshoe.pages.page import NONCE_SLOT, TOKEN_SLOT, render_page


def document(*roots: Any, title: str = "Test", template: str | None = None, **variables: Any) -> Document:
    doc = Document(title=title)
    for root in roots:
        doc.add_root(root)
    if template is not None:
        doc.template = template  # type: ignore[assignment]
    doc.template_variables.update(variables)
    return doc


def html_of(doc: Document, *, token: str = "abc.def", nonce: str = "", app_url: str = "/app") -> str:
    return render_page(doc, app_url=app_url).fill(token=token, nonce=nonce).decode()


def render_items(html: str) -> Any:
    match = re.search(r"embed_items\(\{\}, (\[.*?\])\);", html)
    assert match is not None
    return json.loads(match[1])


def test_the_render_item_is_stocks() -> None:
    slider = Slider(start=0, end=1, value=0)
    html = html_of(document(slider))
    [item] = render_items(html)
    assert list(item) == ["token", "roots", "root_ids", "use_for_title"]
    assert item["token"] == "abc.def"
    assert item["root_ids"] == [slider.id]
    assert item["use_for_title"] is True
    assert f'<div id="{item["roots"][slider.id]}" data-root-id="{slider.id}"' in html


def test_no_slot_is_left_in_a_filled_page() -> None:
    html = html_of(document(Div(text="x")), nonce="bm9uY2U=")
    assert TOKEN_SLOT not in html
    assert NONCE_SLOT not in html
    ours = re.findall(r"<script[^>]*>", html)
    assert ours == ['<script nonce="bm9uY2U=">'] * 3


def test_an_empty_nonce_leaves_well_formed_tags() -> None:
    assert set(re.findall(r"<script[^>]*>", html_of(document()))) == {'<script nonce="">'}


@pytest.mark.parametrize("token", ['"', "a b", "</script>", "a\n", "a'", "a\\u0022", "é"])
def test_a_token_that_could_leave_its_string_is_refused(token: str) -> None:
    page = render_page(document(), app_url="/app")
    with pytest.raises(TokenError):
        page.fill(token=token)


@pytest.mark.parametrize("nonce", ['" onload="x', "a>b", "a\n"])
def test_a_nonce_that_could_leave_its_attribute_is_refused(nonce: str) -> None:
    page = render_page(document(), app_url="/app")
    with pytest.raises(ValueError, match="nonce"):
        page.fill(token="t", nonce=nonce)


def test_a_hostile_title_is_text() -> None:
    html = html_of(document(title="</title><script>alert(1)</script>"))
    assert "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>" in html


def test_a_title_with_half_a_character_fails_nothing() -> None:
    """Any viewer can set it; the page is then for all who join the session."""
    assert "<title>a?&lt;b</title>" in html_of(document(title="a\ud800<b"))


def test_a_hostile_root_name_stays_out_of_the_page() -> None:
    html = html_of(document(Div(text="x", name="</script><script>alert(1)</script>")))
    assert "alert(1)" not in html


def test_a_hostile_root_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # This is what a client can do that pushes a document.
    div = Div(text="x")
    monkeypatch.setattr(div, "_id", '"><script>alert(1)</script>')
    with pytest.raises(ValueError, match="can't stand in a page"):
        html_of(document(div))


def test_template_variables_cannot_replace_ours() -> None:
    html = html_of(document(bokeh_js="EVIL", plot_script="EVIL", roots="EVIL", docs="EVIL", own="mine",
                            template="{% block postamble %}{{ own }}{% endblock %}"))
    assert "EVIL" not in html
    assert "mine" in html
    assert "embed_items" in html


def test_a_template_in_a_string_extends_the_base() -> None:
    doc = document(Slider(start=0, end=1, value=0, name="left"), Div(text="x", name="right"),
                   template="{% block contents %}<main>{{ embed(roots.right) }}|{{ embed(roots[0]) }}</main>"
                            "{% endblock %}")
    html = html_of(doc)
    [item] = render_items(html)
    left, right = (item["roots"][model_id] for model_id in item["root_ids"])
    assert re.search(rf'<main><div id="{right}".*\|<div id="{left}"', html)
    assert "<!DOCTYPE html>" in html


def test_a_whole_template_with_stocks_names() -> None:
    text = ("{% from macros import embed %}<html><head>{{ bokeh_css }}{{ bokeh_js }}"
            "<title>{{ title }}</title></head><body>{{ embed(doc.roots.plot) }}"
            "{{ plot_div }}{{ plot_script | indent(8) }}</body></html>")
    doc = document(figure(name="plot"))
    doc.template = Template(text)
    html = html_of(doc)
    assert html.count("data-root-id") == 2
    assert html.index("document.write") < html.index("<title>Test</title>") < html.index("embed_items")


def test_a_template_that_extends_base_by_variable() -> None:
    doc = document(Div(text="x"))
    doc.template = Template("{% extends base %}{% block preamble %}<meta name=own>{% endblock %}")
    html = html_of(doc)
    assert "<meta name=own>" in html
    assert "embed_items" in html


def test_a_root_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="missing"):
        html_of(document(Div(text="x"), template="{% block contents %}{{ embed(roots.missing) }}{% endblock %}"))


def test_scripts_that_use_bokeh_may_follow_bokeh_js_at_once() -> None:
    doc = document(row(figure()), template="{% block postamble %}<script>Bokeh.version</script>{% endblock %}")
    html = html_of(doc)
    assert html.index("document.write") < html.index("Bokeh.version")
    assert " async" not in html
    assert " defer" not in html


def test_pages_of_one_kind_differ_only_in_their_ids() -> None:
    def anonymous(html: str) -> str:
        return re.sub(r"[0-9a-f-]{36}|p\d+", "ID", html)

    assert anonymous(html_of(document(Div(text="a")))) == anonymous(html_of(document(Div(text="b"))))


SCRIPTS_OF_TEMPLATES = [
    ("<script>new Bokeh.Widgets.Button()</script>", {"bokeh-widgets"}),
    ("<script type='module'>\nBokeh.Models.get(\"DataTable\")\n</script>", {"bokeh-widgets", "bokeh-tables"}),
    ("<b onclick=\"Bokeh.Models.get('Slider')\">x</b>", {"bokeh-widgets"}),
    ("<script>{{ code }}</script>", {"bokeh-widgets"}),
    ('<script src="app/static/own.js"></script>', {"bokeh-widgets", "bokeh-tables"}),
    ('<script src="https://cdn.example/lib.js"></script>', set()),
    ('<script src="//cdn.example/lib.js"></script>', set()),
    ("<p>Select a Slider or a DataTable of Bokeh</p>", set()),
    ("<script>console.log('nothing')</script>", set()),
]


@pytest.mark.parametrize(("text", "found"), SCRIPTS_OF_TEMPLATES)
def test_scripts_of_a_template_bring_the_bundles_that_they_name(text: str, found: set[str]) -> None:
    template = "{% block postamble %}" + text + "{% endblock %}"
    html = html_of(document(figure(), template=template, code="Bokeh.Models.get('Slider')"))
    assert {name for name in ("bokeh-widgets", "bokeh-tables") if f"js/{name}.min.js" in loaded(html)} == found


def test_a_template_of_its_own_gets_them_too() -> None:
    doc = document(figure())
    doc.template = Template("{{ bokeh_css }}{{ bokeh_js }}<script>new Bokeh.Widgets.Slider()</script>{{ plot_script }}")
    assert "js/bokeh-widgets.min.js" in loaded(html_of(doc))


def test_all_bundles_on_demand() -> None:
    doc = document(figure())
    assert "js/bokeh-gl.min.js" not in loaded(html_of(doc))
    page = render_page(doc, app_url="/app", all_bundles=True).fill(token="x").decode()
    for name in ("bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax"):
        assert f"js/{name}.min.js" in loaded(page)


def loaded(html: str) -> str:
    """The list of the scripts that the page loads."""
    found = re.search(r'"js":\[(.*?)\]', html)
    assert found is not None
    return found[1]
