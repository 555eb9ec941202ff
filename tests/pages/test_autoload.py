from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import bokeh
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Slider
from tests.support.needs import need_program

from hotshoe.base.errors import RequestError, TokenError
from hotshoe.pages.autoload import autoload_script, render_autoload


def script_of(*, token: str = "abc.def", **changes: Any) -> str:
    document = Document()
    document.add_root(Slider(start=0, end=1, value=0))
    arguments = {"app_url": "/app", "element_id": "p1001", "app_path": "/app", "absolute_url": None,
                 "resources": True, **changes}
    return render_autoload(document, **arguments).fill(token=token).decode()


def plan_of(script: str) -> dict[str, Any]:
    match = re.search(r"^autoload\((\{.*\}), document", script, re.MULTILINE)
    assert match is not None
    plan: dict[str, Any] = json.loads(match[1])
    return plan


def urls_of(script: str) -> list[str]:
    return [url.partition("?")[0] for url in plan_of(script)["scripts"]]


def test_it_is_javascript_that_embeds_the_session() -> None:
    script = script_of(absolute_url="https://h.example:8443/p/app", app_path="/p/app")
    subprocess.run([need_program("node"), "--check", "-"], input=script, text=True, check=True, timeout=30)
    assert '{"token":"abc.def","elementid":"p1001","use_for_title":false,' in script
    plan = plan_of(script)
    assert (plan["app_path"], plan["absolute_url"]) == ("/p/app", "https://h.example:8443/p/app")
    assert (plan["base"], plan["bokeh"]) == ("https://h.example:8443/p/", bokeh.__version__)


def test_without_an_element_it_is_the_plan_alone() -> None:
    plan = json.loads(script_of(element_id=None, absolute_url="https://h/p/app", app_path="/p/app"))
    script = script_of(absolute_url="https://h/p/app", app_path="/p/app")
    assert plan == {**plan_of(script), "elementid": None}


def test_it_loads_everything_as_no_script_of_ours_can_load_more() -> None:
    names = [url.rpartition("/")[2] for url in urls_of(script_of())]
    assert names == ["bokeh.min.js", "bokeh-gl.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js",
                     "bokeh-mathjax.min.js"]


def test_resources_can_be_left_to_the_embedder() -> None:
    script = script_of(resources=False)
    assert urls_of(script) == []
    assert "bokeh.min.js" not in script
    assert not plan_of(script)["resources"]


def test_what_can_not_be_shown_can_be_said() -> None:
    script = autoload_script({"elementid": "</script>", "error": "It is <b>gone</b>.\u2028"})
    subprocess.run([need_program("node"), "--check", "-"], input=script, text=True, check=True, timeout=30)
    assert plan_of(script)["error"] == "It is <b>gone</b>.\u2028"
    assert "</script>" not in script
    assert "<b>" not in script
    assert "\u2028" not in script


@pytest.mark.parametrize(("app_path", "absolute_url", "base"), [
    ("/p/app", "http://h/p/app", "http://h/p/"),
    ("/", "http://h/p/app", "http://h/p/"),
    ("/", "http://h", "http://h/"),
    ("/p/app", None, "/p/"),
    ("/", None, "/"),
])
def test_the_base_is_that_of_the_path_or_else_of_the_url(app_path: str, absolute_url: str | None, base: str) -> None:
    assert plan_of(script_of(app_path=app_path, absolute_url=absolute_url))["base"] == base


def test_urls_begin_at_the_host_that_the_embedder_names() -> None:
    assert urls_of(script_of())[0] == "/static/js/bokeh.min.js"
    script = script_of(absolute_url="http://h:1/p/app", app_path="/p/app")
    assert urls_of(script)[0] == "http://h:1/p/static/js/bokeh.min.js"


@pytest.mark.parametrize("element_id", ["", "a\"b", "a'b", "a\\", "</script>", "a\nb", "a b", "\u2028", "x" * 257])
def test_what_is_no_element_id_is_refused(element_id: str) -> None:
    with pytest.raises(RequestError, match="autoload-element"):
        script_of(element_id=element_id)


@pytest.mark.parametrize("app_path", [
    "", "app", "//evil.com/app", "/\\evil.com", "@evil.com/x", '/"+alert(1)+"', "/a b",
                                      "/</script>", "/a?b", "/a#b", "/a\n", "/" + "x" * 5000])
def test_what_is_no_path_is_refused(app_path: str) -> None:
    with pytest.raises(RequestError, match="app-path"):
        script_of(app_path=app_path)


@pytest.mark.parametrize("absolute_url", [
    "", "javascript:alert(1)", "data:text/html,x", "ftp://h/x", "//h/x", "http://", "http://u:p@h/", "http://h:x/",
    "http://[/", "http://h\"x/", "http://h\\x"])
def test_what_is_no_web_address_is_refused(absolute_url: str) -> None:
    with pytest.raises(RequestError, match="absolute-url") as caught:
        script_of(absolute_url=absolute_url)
    assert caught.value.status == 400


def test_an_address_cannot_leave_its_string() -> None:
    script = script_of(absolute_url="http://h/\"</script><!--\u2028'")
    assert "</script>" not in script
    assert "<!--" not in script
    assert "\u2028" not in script
    subprocess.run([need_program("node"), "--check", "-"], input=script, text=True, check=True, timeout=30)


def test_a_token_that_could_leave_its_string_is_refused() -> None:
    with pytest.raises(TokenError):
        script_of(token='"')
