"""The way back: to paths of this server only."""

from __future__ import annotations

from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from starlette.requests import HTTPConnection

from hotshoe.auth.returning import next_of, page_beside, reference, wanted, with_next


def connection(path: str, query: bytes = b"", root_path: str = "") -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": path, "query_string": query, "root_path": root_path,
                           "headers": [(b"host", b"site.example")], "scheme": "https", "server": ("x", 1)})


@pytest.mark.parametrize("hostile", [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil", "https://evil.example",
    "javascript:alert(1)", "data:text/html,x", "evil.example", "", "app", "/a\r\nSet-Cookie: x=1", "/a\x00", "/a\tb",
    "/../up", "/a/../../up", "/%2e%2e/up", "/.%2E/up", "/a/%2e", "/..%5cup", "/..\\up", "/#x", "/a b", "/ü", "/%zz",
    "/" + "a" * 3000, "/a?b#c", " /a", "/a\n", "@evil.example", ".evil.example", ":80/x",
])
def test_what_leads_elsewhere_leads_home(hostile: str) -> None:
    assert next_of(hostile) == "/"
    assert next_of(None) == "/"


@pytest.mark.parametrize("good", ["/", "/app", "/a/b/", "/app?x=1&y=%20z", "/%C3%BC?q=%2F%2Fevil", "/a:b", "/app?u=https://x/?y"])
def test_paths_below_the_prefix_stay(good: str) -> None:
    assert next_of(good) == good
    for base in ("https://site.example/login", "https://site.example/ext/login"):
        url = urlsplit(urljoin(base, reference(good)))
        assert url.netloc == "site.example"
        assert url.path.startswith(base.removeprefix("https://site.example").removesuffix("/login"))


@pytest.mark.parametrize(("path", "query", "root_path", "prefix", "expected"), [
    ("/app", b"x=1&y=%20", "", "", "/app?x=1&y=%20"),
    ("/apps/app/", b"", "", "/apps/", "/app/"),
    ("/mount/apps/app", b"", "/mount", "apps", "/app"),
    ("/apps/app", b"", "/mount", "apps", "/app"),
    ("/apps", b"", "", "apps", "/"),
    ("/größe & mehr", b"", "", "", "/gr%C3%B6%C3%9Fe%20&%20mehr"),
    ("/app", b'q="<x>"|', "", "", "/app?q=%22%3Cx%3E%22%7C"),
    ("//evil.example", b"", "", "", "/"),
    ("/app", b"x=" + b"y" * 3000, "", "", "/"),
])
def test_what_was_wanted(path: str, query: bytes, root_path: str, prefix: str, expected: str) -> None:
    found = wanted(connection(path, query, root_path), prefix)
    assert found == expected
    assert parse_qs(urlsplit(with_next("/login", found)).query) == {"next": [expected]}


def test_a_page_beside() -> None:
    assert page_beside(connection("/apps/login"), "login-callback") == "https://site.example/apps/login-callback"
    assert page_beside(connection("/login", root_path="/m"), "x") == "https://site.example/m/x"
    assert page_beside(connection("/m/login", root_path="/m"), "x") == "https://site.example/m/x"
