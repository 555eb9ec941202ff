"""What is read off pages of hotshoe, bokeh and Panel, of embedders, and of those who mean no good."""

from __future__ import annotations

import json
import time

import pytest
from bokeh.embed import server_document

from hotshoe.doctor.markup import page_token_of, read_markup
from hotshoe.embed import app_tag
from hotshoe.embed import server_document as own_server_document
from hotshoe.tokens import mint

TOKEN = mint("a" * 44, now_s=1000, lifetime_s=300)


def test_a_page_of_bokeh() -> None:
    markup = read_markup(f"""<html><head><title> Sales </title><script src="/static/js/bokeh.min.js?v=1"></script>
      <link rel="stylesheet" href="a.css"></head><body><script>
      const render_items = [{{"token":"{TOKEN}","roots":{{}}}}];</script></body></html>""")
    assert markup.title == "Sales"
    assert markup.scripts == ("/static/js/bokeh.min.js?v=1",)
    assert markup.styles == ("a.css",)
    assert [token.text for token in markup.tokens] == [TOKEN]
    assert not markup.is_hotshoe
    assert not markup.is_cut


def test_a_page_of_hotshoe() -> None:
    plan = {"depth": 1, "js": ["_hotshoe/page.js", "static/js/bokeh.min.js"], "css": ["x.css"], "config": {}}
    markup = read_markup(f"<html><script>(function (plan) {{}})({json.dumps(plan)});</script></html>")
    assert markup.scripts == ("_hotshoe/page.js", "static/js/bokeh.min.js")
    assert markup.styles == ("x.css",)
    assert (markup.depth, markup.is_hotshoe) == (1, True)


@pytest.mark.parametrize("script", [
    server_document("https://apps.example.org/sliders", arguments={"a": "1"}),
    own_server_document("https://apps.example.org/sliders", arguments={"a": "1"}),
])
def test_scripts_that_embed(script: str) -> None:
    [embed] = read_markup(f"<html><body>{script}</body></html>").embeds
    assert embed.source.startswith("https://apps.example.org/sliders/autoload.js?")
    assert embed.arguments["bokeh-app-path"] == "/sliders"
    assert embed.arguments["a"] == "1"
    assert not embed.is_element


def test_the_element() -> None:
    markup = read_markup(f"<html><body>{app_tag('/sliders', arguments={'a': 'b'})}</body></html>")
    assert [(embed.source, embed.is_element) for embed in markup.embeds] == [("/sliders?a=b", True)]


@pytest.mark.parametrize("link", ['<a href="./a" data-path="/a">', '<a class="card-link" href="./a" id="/a">',
                                  '<a href="/a">'])
def test_an_index(link: str) -> None:
    assert len(read_markup(f'<a href="https://docs.bokeh.org/en">x</a>{link}x</a>').links) == 1


@pytest.mark.parametrize("text", [
    'if (js_urls == null) js_urls = [];\nconst js_urls = ["/static/a.js"];\nconst css_urls = ["b.css"];',
    '{"elementid":"x","scripts":["/static/a.js"],"styles":["b.css"]}',
])
def test_what_autoload_loads(text: str) -> None:
    markup = read_markup(text)
    assert (markup.scripts, markup.styles) == (("/static/a.js",), ("b.css",))


def test_a_page_to_log_in() -> None:
    assert read_markup('<form><input type="PASSWORD"></form>').has_password


@pytest.mark.parametrize("text", [
    "", "<", "<html", '{"depth":' * 100_000, '{"depth": -1, "js": []}', '{"depth": 1, "js": {"a": 1}, "css": 3}',
    '"token":"' + "a" * 70_000 + '"', '"token":"AAAAAAAAAA"', "<![x", "<!a " * 1000, "\x00" * 1000,
    '"/autoload.js?' * 5000, "<a href='/" + "a/" * 50_000 + "'>", "&#xffffffffff;", "<" * 2_000_000,
    "<a " * 600_000,
])
def test_whatever_it_is(text: str) -> None:
    started = time.monotonic()
    markup = read_markup(text)
    assert time.monotonic() - started < 30
    assert markup.tokens == ()
    assert len(markup.embeds) <= 200


def test_tokens() -> None:
    token = page_token_of(TOKEN)
    assert token is not None
    assert token.expires_at_s == 1300
    assert page_token_of(mint("a" * 44, now_s=1000, lifetime_s=300, key=b"k" * 32)) is not None
    assert page_token_of("nothing") is None
