"""What the tags say; that they work is for the browser to show (tests/browser/embedding)."""


from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import bokeh.embed
import pytest
from bokeh.models.widgets import Slider
from jinja2 import Environment
from tests.support.needs import need_program

from hotshoe.embed import app_tag, server_document, server_session
from hotshoe.embed.tags import AppUrl, query_of


@pytest.mark.parametrize(("given", "url", "app_path", "query", "absolute"), [
    ("/sliders", "/sliders", "/sliders", "", False),
    ("/sliders/", "/sliders", "/sliders", "", False),
    ("sliders", "sliders", None, "", False),
    ("../p/sliders?a=1", "../p/sliders", None, "a=1", False),
    ("/", "", None, "", False),
    ("http://h:5006/", "http://h:5006", "/", "", True),
    ("https://h/p/sliders#part", "https://h/p/sliders", "/p/sliders", "", True),
    ("HTTPS://h/a", "https://h/a", "/a", "", True),
    ("//h/sliders", "//h/sliders", "/sliders", "", False),
    ("http://[::1]:5006/a", "http://[::1]:5006/a", "/a", "", True),
    ("/mes%20apps/é", "/mes%20apps/%C3%A9", "/mes%20apps/%C3%A9", "", False),
    ("/a\"b<c>", "/a%22b%3Cc%3E", "/a%22b%3Cc%3E", "", False),
])
def test_parts(given: str, url: str, app_path: str | None, query: str, absolute: bool) -> None:
    address = AppUrl.of(given)
    assert (address.url, address.app_path, address.query, address.is_absolute) == (url, app_path, query, absolute)


@pytest.mark.parametrize(("given", "complaint"), [
    ("", "is a text such as"), (None, "is a text such as"), (b"/a", "is a text such as"),
    ("ws://h/a", "not the websocket URL"), ("wss://h/a", "not the websocket URL"),
    ("javascript:alert(1)", "must begin with"), ("data:text/html,x", "must begin with"),
    ("ftp://h/a", "must begin with"),
    ("http:///a", "must begin with"), ("https:a", "must begin with"), ("localhost:5006/a", "must begin with"),
    ("http://u:p@h/a", "user and password"), ("//u@h/a", "user and password"),
    ("http://h:port/a", "is not an address"), ("http://[::1/a", "is not an address"),
    ("http://h:99999/a", "is not an address"),
    ("/a b", "quote it"), ("/a\nb", "quote it"), ("/\\h/a", "quote it"), ("java\tscript:x", "quote it"),
    ("/a\0", "quote it"),
])
def test_what_is_no_address_is_told_in_a_line(given: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        AppUrl.of(given)
    assert "\n" not in str(caught.value)


def test_arguments() -> None:
    assert query_of(None) == ""
    assert query_of({"a": "1 & 2", "ü": "é", "n": 3}) == "a=1+%26+2&%C3%BC=%C3%A9&n=3"
    assert query_of({"a": ["1", "2"]}) == "a=1&a=2"
    assert query_of({"bokeh-session-id": "stolen", "b": ""}) == "b="


HOSTILE = "\"'><script>alert(1)</script><!--\u2028&amp;"


class Tags(HTMLParser):
    """The elements of a text, as a browser would see them, and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, name: str) -> dict[str, str | None]:
        return next(attributes for tag, attributes in self.found if tag == name)


def plan_of(script: str) -> dict[str, Any]:
    found = re.search(r"^\}\)\((\{.*\})\);$", script, re.MULTILINE)
    assert found is not None
    plan: dict[str, Any] = json.loads(found[1])
    return plan


def asked(script: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(plan_of(script)["src"]).query, keep_blank_values=True)


def test_app_tag_is_an_element_and_its_script() -> None:
    tags = Tags(app_tag("/apps/sliders"))
    assert [tag for tag, _ in tags.found] == ["bokeh-app", "p", "a", "script"]
    assert tags.of("bokeh-app") == {"src": "/apps/sliders"}
    assert tags.of("script") == {"src": "/apps/sliders/embed.js", "async": None}
    assert tags.of("a") == {"href": "/apps/sliders"}


@pytest.mark.parametrize(("path", "script"), [
    ("https://h/p/app", "https://h/p/app/embed.js"), ("//h/app", "//h/app/embed.js"), ("app", "app/embed.js"),
    ("/", "/embed.js"), ("/app?a=1", "/app/embed.js"),
])
def test_the_script_lies_below_the_app(path: str, script: str) -> None:
    tags = Tags(app_tag(path))
    assert (tags.of("script")["src"], tags.of("bokeh-app")["src"]) == (script, path)


def test_app_tag_escapes_all_that_it_is_given() -> None:
    tags = Tags(app_tag("/a?x=<\"'>", arguments={HOSTILE: HOSTILE}, headers={"X-A": "\"'><script>&amp;"}))
    assert [tag for tag, _ in tags.found] == ["bokeh-app", "p", "a", "script"]
    source = tags.of("bokeh-app")["src"]
    assert source is not None
    assert parse_qs(urlsplit(source).query) == {"x": ["<\"'>"], HOSTILE: [HOSTILE]}
    assert json.loads(tags.of("bokeh-app")["headers"] or "") == {"X-A": "\"'><script>&amp;"}


def test_app_tag_says_what_is_asked_for() -> None:
    found = Tags(app_tag("/a", with_credentials=True, resources=None, nonce="abc+/=")).found
    assert found[0][1] == {"src": "/a", "with-credentials": "", "resources": "none"}
    assert found[-1][1]["nonce"] == "abc+/="


@pytest.mark.parametrize("make", [app_tag, server_document])
def test_what_can_not_be_is_told_in_a_line(make: Any) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"headers": {"X": "1"}, "with_credentials": True}, "mutually exclusive"),
        ({"resources": "cdn"}, "must be either"),
        ({"headers": {"X\n": "1"}}, "a browser can't send"), ({"headers": {"": "1"}}, "a browser can't send"),
        ({"headers": {"X": "1\r\nY: 2"}}, "a browser can't send"),
        ({"headers": {"X": "\u2028"}}, "a browser can't send"),
        ({"nonce": "\"><b>"}, "base64"),
    ]
    for words, complaint in wrong:
        with pytest.raises(ValueError, match=complaint):
            make("/a", **words)
    with pytest.raises(ValueError, match="must begin with"):
        make("javascript:alert(1)")


@pytest.mark.parametrize("name", ["server_document", "server_session"])
def test_signatures_begin_as_bokehs(name: str) -> None:
    ours, theirs = (list(inspect.signature(getattr(module, name)).parameters) for module in (
        sys.modules["hotshoe.embed"], bokeh.embed))
    assert ours[:len(theirs)] == theirs


@pytest.mark.parametrize("words", [
    {}, {"url": "https://h:8000/p/sliders/"}, {"url": "http://h"}, {"url": "http://h/a", "relative_urls": True},
    {"url": "http://h/a", "resources": None}, {"url": "http://h/a", "arguments": {"b": "1 & 2", "bokeh-x": "3"}},
])
def test_it_asks_for_what_bokehs_script_asks_for(words: dict[str, Any]) -> None:
    theirs = re.search(r"xhr\.open\('GET', \"(.*?)\"", bokeh.embed.server_document(**words))
    assert theirs is not None
    ours = plan_of(server_document(**words))
    element = ours["id"]
    assert Tags(server_document(**words)).of("script").keys() == {"id"}
    assert re.sub("element=[^&]*", "element=", ours["src"]) == re.sub("element=[^&]*", "element=", theirs[1])
    assert f"bokeh-autoload-element={element}&" in f"{ours['src']}&"


def test_a_script_can_not_be_left() -> None:
    script = server_document("/a", arguments={HOSTILE: HOSTILE}, headers={"X-A": "</script><!--&amp;\\"})
    tags = Tags(script)
    assert [tag for tag, _ in tags.found] == ["script"]
    assert asked(script)[HOSTILE] == [HOSTILE]
    assert plan_of(script)["headers"] == {"X-A": "</script><!--&amp;\\"}
    subprocess.run([need_program("node"), "--check", "-"], input="".join(tags.words), text=True, check=True, timeout=30)


def test_each_script_has_an_element_of_its_own() -> None:
    assert plan_of(server_document("/a"))["id"] != plan_of(server_document("/a"))["id"]


def test_server_session() -> None:
    slider = Slider(start=0, end=1, value=0)
    script = server_session(slider, session_id="one", url="http://h/a", headers={"X-A": "b"})
    assert plan_of(script)["headers"] == {"X-A": "b", "Bokeh-Session-Id": "one"}
    assert Tags(script).of("script")["data-bokeh-root"] == slider.id
    assert "data-bokeh-root" not in Tags(server_session(session_id="one")).of("script")
    credentials = plan_of(server_session(session_id="one", with_credentials=True))
    assert (credentials["credentials"], credentials["headers"]) == (True, {"Bokeh-Session-Id": "one"})
    with pytest.raises(ValueError, match="Must supply a session_id"):
        server_session()
    with pytest.raises(ValueError, match="Bokeh-Session-Id"):
        server_session(session_id="a\r\nX: y")
    with pytest.raises(ValueError, match="mutually exclusive"):
        server_session(session_id="one", headers={"a": "b"}, with_credentials=True)


def test_templates_put_them_in_as_they_are_and_sites_add_them_to_texts() -> None:
    template = Environment(autoescape=True).from_string("<main>{{ app }}</main>")
    for tag in (app_tag("/a"), server_document("/a"), server_session(session_id="a")):
        assert template.render(app=tag) == f"<main>{tag}</main>" == "<main>" + tag + "</main>"


def test_nothing_of_a_server_is_imported() -> None:
    code = ("import sys, hotshoe.embed as embed\n"
            "embed.app_tag('/a'); embed.server_document(); embed.server_session(session_id='a')\n"
            "print(*sorted(sys.modules))")
    modules = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "hotshoe.embed" in modules
    banned = {"starlette", "uvicorn", "tornado", "httptools", "bokeh.server", "bokeh.client", "bokeh.document",
              *(f"hotshoe.{name}" for name in ("web", "hosts", "sessions", "pages", "apps", "auth", "seams"))}
    assert not modules & banned
