"""Paths below a prefix, and references that lead to them from any page, behind any proxy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from hotshoe.http.paths import (
    base_of,
    login_with_next,
    login_with_tornado_next,
    mount_keys,
    mount_of,
    next_of,
    normalized_prefix,
    normalized_url,
    path_before,
    path_below,
    path_or_url,
    path_with,
    path_without,
    reference_beside,
    reference_from_base,
    reference_to_base,
    reference_within,
    rooted,
    safe_reference,
    segments,
    uncut_keys,
    uri_of,
    url_beside,
    wanted,
)

HOST = "http://h.example"
NAMES = st.text(st.sampled_from("ab:@~.-_é %?#&=\\;"), min_size=1, max_size=6).filter(lambda text: text.strip("."))
BASES = st.lists(NAMES, max_size=3).map(lambda names: "".join(f"/{name}" for name in names))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "".join(f"/{name}" for name in names))
"""Decoded, as ASGI has them."""
SLASH = st.sampled_from(["", "/"])


def as_seen(path: str) -> str:
    """The address of a decoded path in a browser, which takes a backslash for a slash unless it is quoted."""
    return HOST + quote(path)


def connection(path: str = "/p/a b", **more: Any) -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": path, "query_string": b"", "headers": [(b"host", b"h.example:7")],
                           "scheme": "https", "server": ("x", 1), **more})


# -- paths in one form

@pytest.mark.parametrize(("given", "prefix", "url"), [
    ("", "", "/"), ("/", "", "/"), ("//", "", "/"), ("foo", "/foo", "/foo"), ("/foo/bar/", "/foo/bar", "/foo/bar"),
    ("//foo//", "/foo", "/foo"),
])
def test_prefixes_and_urls_are_normalized(given: str, prefix: str, url: str) -> None:
    assert normalized_prefix(given) == prefix
    assert normalized_url(given) == url


@pytest.mark.parametrize("path", ["evil.example", "/evil.example", "//evil.example", "///evil.example"])
def test_a_rooted_path_names_no_host(path: str) -> None:
    assert rooted(path) == "/evil.example"


def test_segments() -> None:
    assert segments("//deep//er/") == ["deep", "er"]
    assert segments("/") == segments("") == []


# -- what a path is below

@pytest.mark.parametrize(("path", "base", "rest"), [
    ("/p/a", "/p", "/a"), ("/p", "/p", ""), ("/p/", "/p", "/"), ("/papa", "/p", None), ("/a", "/p", None),
    ("/a", "", "/a"), ("", "", ""), ("", "/p", None),
])
def test_path_below(path: str, base: str, rest: str | None) -> None:
    assert path_below(path, base) == rest


@pytest.mark.parametrize(("path", "root", "inside"), [
    ("/m/a", "/m", "/a"), ("/m", "/m", ""), ("/m/", "/m", "/"), ("/a", "/m", "/a"), ("/ma", "/m", "/ma"),
    ("/m/a", "/m/", "/a"), ("/a", "", "/a"),
])
def test_path_without_the_root(path: str, root: str, inside: str) -> None:
    assert path_without(path, root) == inside


@pytest.mark.parametrize(("path", "base", "whole"), [
    ("/a", "", "/a"), ("/a", "/p", "/p/a"), ("/p/a", "/p", "/p/a"), ("/papa", "/p", "/p/papa"), ("/p", "/p", "/p/p"),
    ("a", "/p", "a"), ("../a", "/p", "../a"), ("//h/a", "/p", "//h/a"), ("https://h/a", "/p", "https://h/a"),
])
def test_path_with_the_base(path: str, base: str, whole: str) -> None:
    assert path_with(path, base) == whole


@pytest.mark.parametrize(("path", "app_url", "base"), [
    ("/app", "/app", "/"),
    ("/p/app", "/app", "/p/"),
    ("/", "/app", "/"),
    ("/", "/", "/"),
    ("", "/", "/"),
    ("/p", "/", "/p/"),
    ("/p/a/b", "/a/b", "/p/"),
    ("/other", "/app", "/other/"),
    ("/p/my%20app", "/my app", "/p/"),
    ("/snapp", "/app", "/snapp/"),
])
def test_path_before_the_app(path: str, app_url: str, base: str) -> None:
    assert path_before(path, app_url) == base


# -- of a request

@pytest.mark.parametrize(("root_path", "prefix", "base"), [
    ("", "", ""), ("/", "", ""), ("/m", "", "/m"), ("/m/", "/p", "/m/p"), ("", "/p", "/p"),
])
def test_the_base(root_path: str, prefix: str, base: str) -> None:
    assert base_of({"root_path": root_path}, prefix) == base
    assert base_of({}, prefix) == prefix


@pytest.mark.parametrize("path", ["/m/p/a", "/p/a"])
def test_what_is_mounted_has_the_root_in_its_path(path: str) -> None:
    """Also below servers that leave it out, and whatever the path begins with."""
    assert mount_keys({"path": path, "root_path": "/m/"}, "/p") == {"root_path": "/m/p", "path": "/m/p/a"}
    assert mount_keys({"path": "/about"}) == {"root_path": "", "path": "/about"}
    assert mount_keys({"path": "/about", "root_path": "/a"}) == {"root_path": "/a", "path": "/a/about"}


@pytest.mark.parametrize(("scope", "raw_path"), [
    ({"path": "/m/a b", "root_path": "/m", "raw_path": b"/m/a%20b"}, b"/out/m/a%20b"),
    ({"path": "/a b", "root_path": "/m", "raw_path": b"/a%20b"}, b"/out/m/a%20b"),
    ({"path": "/a b", "root_path": "/m"}, None),
])
def test_what_a_proxy_has_cut_off_comes_back(scope: dict[str, Any], raw_path: bytes | None) -> None:
    found = uncut_keys(scope, "/out")
    assert (found["root_path"], found["path"], found.get("raw_path")) == ("/out/m", "/out/m/a b", raw_path)


@pytest.mark.parametrize(("scope", "uri"), [
    ({"path": "/a b", "raw_path": b"/a%20b?x", "query_string": b"x=%26"}, "/a%20b?x=%26"),
    ({"path": "/a b/\u00e9", "raw_path": None}, "/a%20b/%C3%A9"),
    ({"path": "/a\r\nb"}, "/a%0D%0Ab"),
])
def test_the_uri_is_what_the_browser_has_sent(scope: dict[str, Any], uri: str) -> None:
    assert uri_of(scope) == uri


def test_the_url_of_a_page_beside() -> None:
    assert url_beside(connection("/apps/login"), "login-callback") == "https://h.example:7/apps/login-callback"
    assert url_beside(connection("/login", root_path="/m"), "x") == "https://h.example:7/m/x"
    assert url_beside(connection("/m/login", root_path="/m"), "x") == "https://h.example:7/m/x"


# -- references: where a browser goes that is on a page

@given(base=BASES, rest=PATHS, slash=SLASH)
def test_the_way_to_the_base(base: str, rest: str, slash: str) -> None:
    up = reference_to_base(rest + slash)
    assert up is not None
    assert urljoin(as_seen(base + rest + slash), up) == as_seen(base) + "/"


def test_the_way_to_the_base_is_not_known_without_a_slash() -> None:
    assert reference_to_base("") is None
    assert reference_to_base("/") == "./"


@given(base=BASES, path=PATHS, slash=SLASH)
def test_the_way_from_the_base(base: str, path: str, slash: str) -> None:
    page = quote(base + slash) or "/"  # browsers ask for no address without a path
    assert urljoin(HOST + page, reference_from_base(page, quote(path))) == as_seen(base + path)


@given(base=BASES, name=NAMES, path=PATHS)
def test_the_way_from_a_page_beside(base: str, name: str, path: str) -> None:
    assert urljoin(as_seen(f"{base}/{name}"), reference_beside(quote(path))) == as_seen(base + path)


@given(base=BASES, page=PATHS, path=PATHS, slash=SLASH, query=st.sampled_from(["", "?x=/y", "?"]))
def test_the_way_within_the_base(base: str, page: str, path: str, slash: str, query: str) -> None:
    base, page, path = quote(base), quote(page), quote(path)
    found = reference_within(f"{base}{path}{slash}{query}", base + page, base)
    assert not found.startswith("/")
    assert urljoin(HOST + base + page, found) == urljoin(HOST, f"{base}{path}{slash}{query}")


@pytest.mark.parametrize(("location", "page", "base", "found"), [
    ("/", "/login", "", "./"),
    ("/app?x=/y", "/login", "", "./app?x=/y"),
    ("/app", "/login/", "", "../app"),
    ("/p/app", "/p/login", "/p", "./app"),
    ("/p", "/p/login", "/p", "./"),
    ("/p?x", "/p/login", "/p", "./?x"),
    ("/papa", "/p/login", "/p", "/papa"),
    ("/other", "/p/login", "/p", "/other"),
    ("/p/app", "/p", "/p", "/p/app"),
    ("/p/app", "/elsewhere", "/p", "/p/app"),
    ("app", "/login", "", "app"),
    ("https://x.org/", "/login", "", "https://x.org/"),
    ("//x.org/", "/login", "", "//x.org/"),
    ("/\\x.org", "/login", "", "./\\x.org"),
    ("/p//x.org", "/p/login", "/p", "./x.org"),
])
def test_only_what_is_within_the_base_is_relative(location: str, page: str, base: str, found: str) -> None:
    assert reference_within(location, page, base) == found


@given(base=BASES, page=PATHS, path=PATHS, breaks=st.sampled_from(["", "\r\n", "\0"]))
def test_a_safe_reference_leads_below_the_base(base: str, page: str, path: str, breaks: str) -> None:
    place = quote(path) + breaks
    found = safe_reference(place, base + page, reference_to_base(page))
    assert urljoin(as_seen(base + page), found) == as_seen(base + path)


@pytest.mark.parametrize(("place", "page", "up", "found"), [
    ("/login?next=%2Fa", "/a/b", "../", "../login?next=%2Fa"),
    ("/login", "/p", None, "./p/login"),
    ("/a:b", "/", "./", "./a:b"),
    ("/login\r\nSet-Cookie: x=1\0", "/", "./", "./loginSet-Cookie:%20x=1"),
    ("/\\evil.example", "/", "./", "./%5Cevil.example"),
    ("//sso.example/in", "/", "./", "//sso.example/in"),
    ("/\u00e9\ud800", "/", "./", "./%C3%A9?"),
    ("https://[::1]/a b\n", "/", "./", "https://[::1]/a%20b"),
])
def test_a_safe_reference(place: str, page: str, up: str | None, found: str) -> None:
    assert safe_reference(place, page, up) == found


@pytest.mark.parametrize(("path", "base", "found"), [
    ("/login", "", "/login"),
    ("login", "", "/login"),
    ("//login", "", "/login"),
    ("/p/login", "/p", "/login"),
    ("/sso", "/p", "//h.example:7/sso"),
    ("/papa", "/p", "//h.example:7/papa"),
])
def test_a_path_of_the_host_is_one_below_the_base_or_a_url(path: str, base: str, found: str) -> None:
    assert path_or_url(path, connection(), base) == found


# -- the way back, once somebody has logged in

@pytest.mark.parametrize("hostile", [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil", "https://evil.example",
    "javascript:alert(1)", "data:text/html,x", "evil.example", "", "app", "/a\r\nSet-Cookie: x=1", "/a\x00", "/a\tb",
    "/../up", "/a/../../up", "/%2e%2e/up", "/.%2E/up", "/a/%2e", "/..%5cup", "/..\\up", "/#x", "/a b", "/ü", "/%zz",
    "/" + "a" * 3000, "/a?b#c", " /a", "/a\n", "@evil.example", ".evil.example", ":80/x",
])
def test_what_leads_elsewhere_leads_home(hostile: str) -> None:
    assert next_of(hostile) == "/"
    assert next_of(None) == "/"


@pytest.mark.parametrize("good", [
    "/", "/app", "/a/b/", "/app?x=1&y=%20z", "/%C3%BC?q=%2F%2Fevil", "/a:b", "/app?u=https://x/?y",
])
def test_paths_below_the_base_stay(good: str) -> None:
    assert next_of(good) == good


@given(base=BASES, text=st.text(st.sampled_from("/ab.:@\\%25eEfF?#&=~ \r\n\té"), max_size=12))
def test_wherever_it_leads_it_is_below_the_base(base: str, text: str) -> None:
    where = urlsplit(urljoin(as_seen(f"{base}/login"), reference_beside(next_of(f"/{text}"))))
    assert (where.scheme, where.netloc) == ("http", "h.example")
    assert where.path.startswith(quote(base) + "/")


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
    found = wanted(connection(path, query_string=query, root_path=root_path), prefix)
    assert found == expected
    assert parse_qs(urlsplit(login_with_next("/login", found)).query) == {"next": [expected]}


@pytest.mark.parametrize(("url", "found"), [
    ("/login", "/login?next=%2Fp%2Fa%2520b%3Fx%3D1%26y%3D%2526"),
    ("/login?way=1", "/login?way=1"),
    ("https://sso.org/in", "https://sso.org/in?next=https%3A%2F%2Fh.example%3A7%2Fp%2Fa%2520b%3Fx%3D1%26y%3D%2526"),
])
def test_a_modules_login_hears_the_whole_address(url: str, found: str) -> None:
    asked = connection(raw_path=b"/p/a%20b", query_string=b"x=1&y=%26")
    assert login_with_tornado_next(url, asked) == found


def test_what_a_modules_login_hears_holds_no_line_break() -> None:
    assert "\n" not in login_with_tornado_next("/login", connection("/a\r\nSet-Cookie: x=1", raw_path=None))


def test_templates_of_sites_import_no_server_for_it() -> None:
    """A tag of Django's needs a path, and the page that has it may be served by another process."""
    code = "import sys, hotshoe.http.paths; print(*{'starlette', 'bokeh'} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout.strip() == ""


@pytest.mark.parametrize(("keys", "mount"), [
    ({}, ""), ({"root_path": ""}, ""), ({"root_path": "/apps"}, "/apps"), ({"root_path": "/apps/"}, "/apps"),
    ({"root_path": "/outer/apps", "app_root_path": "/outer"}, "/apps"),
    ({"root_path": "/outer/apps", "app_root_path": "/outer/"}, "/apps"),
    ({"root_path": "/outer", "app_root_path": "/outer"}, ""), ({"root_path": "/apps", "app_root_path": ""}, "/apps"),
    ({"root_path": "/outermost", "app_root_path": "/outer"}, "/outermost"),
])
def test_the_mount_of_a_framework(keys: dict[str, str], mount: str) -> None:
    assert mount_of(keys) == mount
