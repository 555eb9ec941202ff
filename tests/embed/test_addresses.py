from __future__ import annotations

from typing import Any

import pytest

from hotshoe.embed.addresses import Address, query_of


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
    address = Address.of(given)
    assert (address.url, address.app_path, address.query, address.is_absolute) == (url, app_path, query, absolute)


@pytest.mark.parametrize(("given", "complaint"), [
    ("", "is a text such as"), (None, "is a text such as"), (b"/a", "is a text such as"),
    ("ws://h/a", "not the websocket URL"), ("wss://h/a", "not the websocket URL"),
    ("javascript:alert(1)", "must begin with"), ("data:text/html,x", "must begin with"),
    ("ftp://h/a", "must begin with"),
    ("http:///a", "must begin with"), ("https:a", "must begin with"), ("localhost:5006/a", "must begin with"),
    ("http://u:p@h/a", "user and password"), ("//u@h/a", "user and password"),
    ("http://h:port/a", "is no address"), ("http://[::1/a", "is no address"), ("http://h:99999/a", "is no address"),
    ("/a b", "quote it"), ("/a\nb", "quote it"), ("/\\h/a", "quote it"), ("java\tscript:x", "quote it"),
    ("/a\0", "quote it"),
])
def test_what_is_no_address_is_told_in_a_line(given: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Address.of(given)
    assert "\n" not in str(caught.value)


def test_arguments() -> None:
    assert query_of(None) == ""
    assert query_of({"a": "1 & 2", "ü": "é", "n": 3}) == "a=1+%26+2&%C3%BC=%C3%A9&n=3"
    assert query_of({"a": ["1", "2"]}) == "a=1&a=2"
    assert query_of({"bokeh-session-id": "stolen", "b": ""}) == "b="
