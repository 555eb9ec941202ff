"""An index that the operator has written, as templates for ``bokeh serve --index`` are."""

from __future__ import annotations

from pathlib import Path

import bokeh
import pytest
from tests.support.fake_host import ToldHost
from tests.support.front_site import MakeSite

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings
from hotshoe.hosts.host import AppInfo
from hotshoe.web.front import Front
from hotshoe.web.gate.gatekeeper import Visitor
from hotshoe.web.own_answers import OwnIndex

STOCKS = """\
<h1>Ours</h1>
{% for item in items %}<a href="{{ prefix }}{{ item }}">{{ item[1:] }}</a>
{% end %}"""

OURS = """\
{% extends "base.html" %}{% block apps %}
{% for app in apps %}<a href="{{ app.href }}" title="{{ app.description }}">{{ app.title }}</a>
{% if app.thumbnail %}<img src="{{ app.thumbnail }}">{% end %}{% end %}
{{ request.path }} {{ request.arguments }} {{ current_user }} {{ _("words") }} {{ static_url("js/x.js") }}
{% end %}"""


async def test_a_template_for_stock(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(STOCKS)
    site = make_site("/b", "/a<", prefix="p", index=str(tmp_path / "index.html"))
    answer = await site.get("/p/")
    assert answer.text == '<h1>Ours</h1>\n<a href="/p/a&lt;">a&lt;</a>\n<a href="/p/b">b</a>\n'
    assert answer.headers["cache-control"] == "no-store"
    assert "content-security-policy" not in answer.headers


async def test_stocks_own_template(make_site: MakeSite) -> None:
    template = Path(bokeh.__file__).parent / "server" / "views" / "app_index.html"
    text = (await make_site("/b", "/a", index=str(template)).get("/")).text
    assert '<a href="/a">a</a>' in text
    assert "Running Bokeh Applications" in text


async def test_what_is_given_besides(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("base {% block apps %}{% end %}")
    (tmp_path / "index.html").write_text(OURS)
    apps = [AppInfo("/b", "B <3", "of b", thumbnail="t.png"), AppInfo("/a", "A")]
    text = (await make_site(*apps, index=str(tmp_path / "index.html")).get("/?x=%3Cb%3E")).text
    assert text.startswith("base ")
    assert text.index('<a href="./a" title="">A</a>') < text.index('<a href="./b" title="of b">B &lt;3</a>')
    assert '<img src="./_hotshoe/thumbnails/b">' in text
    assert "/ {&#x27;x&#x27;: [b&#x27;&lt;b&gt;&#x27;]} None words /static/js/x.js" in text.replace("&#39;", "&#x27;")


async def test_one_app_and_no_index_come_first(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("own")
    index = str(tmp_path / "index.html")
    assert (await make_site("/a", index=index).get("/")).status_code == 302
    assert (await make_site("/a", index=index, disable_index_redirect=True).get("/")).text == "own"
    assert (await make_site("/a", "/b", index=index, disable_index=True).get("/")).status_code == 404


async def test_a_template_that_fails_is_an_error_with_an_id(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("{{ 1 / 0 }}")
    answer = await make_site("/a", "/b", index=str(tmp_path / "index.html")).get("/")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text


@pytest.mark.parametrize(("text", "message"), [
    (None, r"--index: .*index\.html can't be read: No such file or directory"),
    ("\n{% for x in items %}", r"--index: .*index\.html:\d: Missing \{% end %\}"),
    ("{{ 1 + }}", r"--index: .*index\.html: invalid syntax"),
    ("{% extends 'none.html' %}", r"--index: .*none\.html can't be read: No such file or directory"),
    ("\udcff", r"--index: .*index\.html: 'utf-?8' codec can't decode"),
])
def test_a_template_that_is_none(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "index.html").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=message) as caught:
        Front(ToldHost(), settings=Settings(index=str(tmp_path / "index.html")))
    assert "\n" not in str(caught.value)


def test_in_dev_mode_it_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text("one")
    scope = {"path": "/", "headers": []}
    kept, fresh = OwnIndex(str(file), prefix=""), OwnIndex(str(file), prefix="", fresh=True)
    file.write_text("two")
    assert kept.answer(scope, [], Visitor()).body == b"one"
    assert fresh.answer(scope, [], Visitor()).body == b"two"


def test_it_knows_who_is_logged_in(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text("{{ current_user }} {{ login_url }} {{ logout_url }}")
    index, scope = OwnIndex(str(file), prefix=""), {"path": "/", "headers": []}
    assert index.answer(scope, [], Visitor(login="./login?next=x")).body == b"None ./login?next=x None"
    assert index.answer(scope, [], Visitor("<ada>", logout="./logout")).body == b"&lt;ada&gt; None ./logout"
