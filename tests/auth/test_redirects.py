"""References that hold behind any proxy."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from hotshoe.auth.redirects import below, relative, with_next


@pytest.mark.parametrize(("location", "path", "base", "found"), [
    ("/", "/login", "", "./"),
    ("/app?x=/y", "/login", "", "./app?x=/y"),
    ("/app", "/login/", "", "../app"),
    ("/p/app", "/p/login", "/p", "./app"),
    ("/p", "/p/login", "/p", "./"),
    ("/p?x", "/p/login", "/p", "./?x"),
    ("/papa", "/p/login", "/p", "/papa"),
    ("/other", "/p/login", "/p", "/other"),
    ("app", "/login", "", "app"),
    ("https://x.org/", "/login", "", "https://x.org/"),
    ("//x.org/", "/login", "", "//x.org/"),
    ("/\\x.org", "/login", "", "./\\x.org"),
    ("/p//x.org", "/p/login", "/p", "./x.org"),
])
def test_relative(location: str, path: str, base: str, found: str) -> None:
    assert relative(location, path, base) == found


def connection(**more: object) -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": "/p/a b", "raw_path": b"/p/a%20b", "query_string": b"x=1&y=%26",
                           "headers": [(b"host", b"h.org:7")], "scheme": "https", "server": None, **more})


@pytest.mark.parametrize(("url", "found"), [
    ("/login", "/login?next=%2Fp%2Fa%2520b%3Fx%3D1%26y%3D%2526"),
    ("/login?way=1", "/login?way=1"),
    ("https://sso.org/in", "https://sso.org/in?next=https%3A%2F%2Fh.org%3A7%2Fp%2Fa%2520b%3Fx%3D1%26y%3D%2526"),
])
def test_with_next(url: str, found: str) -> None:
    assert with_next(url, connection()) == found


def test_next_holds_no_line_break() -> None:
    assert "\n" not in with_next("/login", connection(raw_path=None, path="/a\r\nSet-Cookie: x=1"))


@pytest.mark.parametrize(("url", "base", "found"), [
    ("/login", "", "/login"),
    ("login", "", "/login"),
    ("/p/login", "/p", "/login"),
    ("/sso", "/p", "//h.org:7/sso"),
])
def test_below(url: str, base: str, found: str) -> None:
    assert below(url, connection(), base) == found
