from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from tests.support.front_site import MakeSite

from hotshoe.config import Settings
from hotshoe.http.paths import base_of, uri_of, url_beside
from hotshoe.http.requests import came_by_proxy, client_is_known
from hotshoe.tokens import mint
from hotshoe.web.gate.proxies import Proxies

OURS = Proxies(is_active=True, networks=["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
NOBODY = Proxies()


def scope_of(peer: str | None = "127.0.0.1", kind: str = "http", **headers: str | list[str]) -> dict[str, Any]:
    raw = [(b"host", b"inner:5006")]
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            raw.append((name.replace("_", "-").encode(), value.encode("latin-1")))
    return {"type": kind, "scheme": "http" if kind == "http" else "ws", "path": "/", "headers": raw,
            "client": None if peer is None else (peer, 4711)}


def seen(proxies: Proxies, scope: dict[str, Any]) -> tuple[str | None, bool, bool]:
    """Whose request it is, whether that is known, whether a trusted proxy brought it."""
    found = proxies.effective(scope)
    client = found["client"]
    return client[0] if client else None, client_is_known(found), came_by_proxy(found)


@pytest.mark.parametrize(("peer", "believed"), [
    ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("::ffff:127.0.0.1", True), (None, True), ("", True),
    ("10.1.2.3", True), ("fd00::1", True), ("192.0.2.7", True), ("fe80::1%eth0", False),
    ("192.0.2.8", False), ("11.0.0.1", False), ("::ffff:11.0.0.1", False), ("testclient", False),
])
def test_who_is_believed(peer: str | None, believed: bool) -> None:
    assert seen(OURS, scope_of(peer, x_forwarded_for="198.51.100.1")) == (
        ("198.51.100.1", True, True) if believed else (peer, True, False))
    assert seen(NOBODY, scope_of(peer, x_forwarded_for="198.51.100.1"))[::2] == (peer, False)


@pytest.mark.parametrize(("peer", "known"), [
    ("127.0.0.1", False), ("::1", False), (None, False), ("", False), ("10.1.2.3", True), ("198.51.100.1", True),
])
def test_without_the_flag_loopback_may_be_a_proxy(peer: str | None, known: bool) -> None:
    assert seen(NOBODY, scope_of(peer)) == (peer, known, False)


@pytest.mark.parametrize(("headers", "expected"), [
    ({"x_forwarded_for": "198.51.100.1"}, "198.51.100.1"),
    ({"x_real_ip": "198.51.100.1"}, "198.51.100.1"),
    ({"x_forwarded_for": "198.51.100.1:1234"}, "198.51.100.1"),
    ({"x_forwarded_for": "2001:db8::1"}, "2001:db8::1"),
    ({"x_forwarded_for": "[2001:DB8::1]:80"}, "2001:db8::1"),
    ({"x_forwarded_for": "::ffff:198.51.100.1"}, "198.51.100.1"),
    ({"x_forwarded_for": '"198.51.100.1"'}, "198.51.100.1"),
    # Who is behind several proxies; and who has written something in front.
    ({"x_forwarded_for": "198.51.100.1, 10.0.0.1,10.0.0.2"}, "198.51.100.1"),
    ({"x_forwarded_for": ["198.51.100.1", "10.0.0.1"]}, "198.51.100.1"),
    ({"x_forwarded_for": "1.1.1.1, 198.51.100.1"}, "198.51.100.1"),
    ({"x_forwarded_for": ["127.0.0.1", "198.51.100.1, 10.0.0.1"]}, "198.51.100.1"),
    ({"x_forwarded_for": "nonsense, 198.51.100.1, 10.0.0.1"}, "198.51.100.1"),
    ({"x_forwarded_for": "10.0.0.3, 10.0.0.1"}, "10.0.0.3"),
    ({"x_forwarded_for": "198.51.100.1, 10.0.0.1", "x_real_ip": "10.0.0.1"}, "198.51.100.1"),
    ({"x_forwarded_for": "198.51.100.1", "x_real_ip": "198.51.100.1"}, "198.51.100.1"),
    # What nobody can know.
    ({}, None),
    ({"x_forwarded_for": ""}, None),
    ({"x_forwarded_for": "unknown"}, None),
    ({"x_forwarded_for": "198.51.100.1, nonsense"}, None),
    ({"x_forwarded_for": "198.51.100.1, nonsense, 10.0.0.1"}, None),
    ({"x_forwarded_for": "198.51.100.1,"}, None),
    ({"x_real_ip": "<script>"}, None),
    ({"x_forwarded_for": "1.1.1.1", "x_real_ip": "198.51.100.1"}, None),
    ({"x_forwarded_for": ", ".join(["198.51.100.1"] * 5 + ["10.0.0.1"] * 100)}, "10.0.0.1"),
])
def test_the_address_of_the_visitor(headers: dict[str, Any], expected: str | None) -> None:
    assert seen(OURS, scope_of(**headers)) == (expected or "127.0.0.1", expected is not None, True)


@pytest.mark.parametrize(("headers", "scheme"), [
    ({}, "http"), ({"x_forwarded_proto": "https"}, "https"), ({"x_scheme": "HTTPS"}, "https"),
    ({"x_forwarded_proto": "wss"}, "https"), ({"x_forwarded_proto": "http", "x_scheme": "https"}, "http"),
    ({"x_forwarded_proto": "javascript"}, "http"), ({"x_forwarded_proto": ""}, "http"),
    ({"x_forwarded_proto": "https,http", "x_forwarded_for": "198.51.100.1, 10.0.0.1"}, "https"),
    ({"x_forwarded_proto": "http,https,http", "x_forwarded_for": "198.51.100.1, 10.0.0.1"}, "https"),
    ({"x_forwarded_proto": ["https", "http"], "x_forwarded_for": "198.51.100.1"}, "http"),
])
def test_the_scheme_is_that_of_the_outermost_proxy(headers: dict[str, Any], scheme: str) -> None:
    assert OURS.effective(scope_of(**headers))["scheme"] == scheme
    socket = OURS.effective(scope_of(kind="websocket", **headers))
    assert socket["scheme"] == {"http": "ws", "https": "wss"}[scheme]
    assert OURS.effective(scope_of("198.51.100.9", **headers))["scheme"] == "http"


@pytest.mark.parametrize(("host", "taken"), [
    ("example.org", True), ("example.org:8443", True), ("[2001:db8::1]:80", True), ("EXAMPLE_a-b.org", True),
    ("", False), ("a b", False), ("example.org/path", False), ("user@example.org", False), ("ex\xe4mple", False),
    ("<script>", False), ("a:123456", False), ("[::1", False), ("x" * 300, False),
])
def test_the_host(host: str, taken: bool) -> None:
    scope = scope_of(x_forwarded_host=host)
    hosts = [value for name, value in OURS.effective(scope)["headers"] if name == b"host"]
    assert hosts == [host.encode() if taken else b"inner:5006"]
    assert NOBODY.effective(scope)["headers"] == scope_of(x_forwarded_host=host)["headers"]


def test_the_outer_scope_stays_as_it_is() -> None:
    scope = scope_of(x_forwarded_for="198.51.100.1", x_forwarded_proto="https", x_forwarded_host="example.org")
    before = {**scope, "headers": list(scope["headers"])}
    assert OURS.effective(scope) is not scope
    assert scope == before


def test_nothing_is_claimed_before_it_is_looked_at() -> None:
    assert not came_by_proxy({})
    assert not client_is_known({})


def test_settings() -> None:
    proxies = Proxies.of(Settings(use_xheaders=True, trusted_proxies=("198.51.100.0/24",)))
    assert not proxies.is_client("198.51.100.3")
    assert proxies.is_client("10.0.0.1")
    assert Proxies.of(Settings()).is_client("198.51.100.3")


def test_the_log_names_the_flag(caplog: pytest.LogCaptureFixture) -> None:
    proxies = Proxies(is_active=True)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            proxies.effective(scope_of("198.51.100.3", x_forwarded_for="1.1.1.1"))
            proxies.effective(scope_of(x_forwarded_for="1.1.1.1", x_real_ip="2.2.2.2"))
            proxies.effective(scope_of("198.51.100.4"))
        NOBODY.effective(scope_of("198.51.100.3", x_forwarded_for="1.1.1.1"))
    first, second = (record.getMessage() for record in caplog.records)
    assert "trust it: --trusted-proxies=198.51.100.3" in first
    assert "disagree" in second


@pytest.mark.parametrize(("forwarded", "address", "scheme", "host"), [
    ("for=198.51.100.1;proto=https;host=public.example", "198.51.100.1", "https", "public.example"),
    ('For="[2001:DB8::1]:4711";Host="public.example:8443"', "2001:db8::1", "http", "public.example:8443"),
    ("for=198.51.100.1;proto=https, for=10.0.0.1;proto=http", "198.51.100.1", "https", "inner:5006"),
    (["for=198.51.100.1;proto=https", "for=10.0.0.1"], "198.51.100.1", "https", "inner:5006"),
    # What stands left of the first that is no proxy of ours was written by the visitor.
    ("for=1.1.1.1;proto=https;host=evil.example, for=198.51.100.1;proto=http", "198.51.100.1", "http", "inner:5006"),
    ("for=1.1.1.1;host=evil.example, for=_hidden;host=public.example", None, "http", "public.example"),
    ("for=unknown;proto=https", None, "https", "inner:5006"),
    ("proto=https;by=10.0.0.1", None, "https", "inner:5006"),
    ('for="evil;proto=https, for=198.51.100.1;proto=https', None, "http", "inner:5006"),
    ('for=198.51.100.1;host="user@evil.example";proto=gopher', "198.51.100.1", "http", "inner:5006"),
    ('for="<script>"', None, "http", "inner:5006"),
    (", ".join(["for=198.51.100.1"] * 5 + ["for=10.0.0.1"] * 100), "10.0.0.1", "http", "inner:5006"),
])
def test_forwarded(forwarded: str | list[str], address: str | None, scheme: str, host: str) -> None:
    found = OURS.effective(scope_of(forwarded=forwarded))
    assert found["client"] == ((address, 0) if address else ("127.0.0.1", 4711))
    assert client_is_known(found) == bool(address)
    assert (found["scheme"], dict(found["headers"])[b"host"]) == (scheme, host.encode())
    assert OURS.effective(scope_of("198.51.100.9", forwarded=forwarded))["client"] == ("198.51.100.9", 4711)


ALL_SAID = {"x_forwarded_for": "198.51.100.1", "x_forwarded_proto": "https", "x_forwarded_host": "public.example"}


@pytest.mark.parametrize(("forwarded", "address", "scheme", "host"), [
    ("for=198.51.100.1;proto=https;host=PUBLIC.example", "198.51.100.1", "https", "public.example"),
    ("for=198.51.100.1:80;proto=https", "198.51.100.1", "https", "inner:5006"),
    ("for=198.51.100.1;proto=http;host=evil.example", "198.51.100.1", "http", "inner:5006"),
    ("for=1.1.1.1", None, "http", "inner:5006"),
    ('for="', None, "http", "inner:5006"),
])
def test_of_both_kinds_only_what_both_say_is_known(forwarded: str, address: str | None, scheme: str, host: str) -> None:
    found = OURS.effective(scope_of(forwarded=forwarded, **ALL_SAID))
    assert (found["client"][0], client_is_known(found)) == (address or "127.0.0.1", bool(address))
    assert (found["scheme"], dict(found["headers"])[b"host"]) == (scheme, host.encode())


@pytest.mark.parametrize(("prefix", "others", "expected"), [
    ("/outer", {}, "/outer"),
    ("/outer/", {}, "/outer"),
    ("/outer, /inner", {}, "/outer/inner"),
    (["/outer", "/inner/deep"], {}, "/outer/inner/deep"),
    # As many as there are proxies of ours: the rest was written by the visitor.
    ("/evil, /inner", {"x_forwarded_for": "198.51.100.1"}, "/inner"),
    ("/outer, /inner", {"x_forwarded_for": "198.51.100.1, 10.0.0.1"}, "/outer/inner"),
    ("/evil, /inner", {"forwarded": "for=198.51.100.1"}, "/inner"),
    ("//evil.example", {}, ""), ("/a/../b", {}, ""), ("/a\x00b", {}, ""), ("/", {}, ""), ("", {}, ""),
    ("/" + "a" * 5000, {}, ""), ("/a," * 400, {"x_forwarded_for": "10.0.0.1"}, ""),
])
def test_a_prefix_that_was_cut_off(prefix: str | list[str], others: dict[str, Any], expected: str) -> None:
    scope = scope_of(x_forwarded_prefix=prefix, **others) | {"path": "/app/ws", "raw_path": b"/app/ws"}
    found = OURS.effective(scope)
    assert (found.get("root_path", ""), found["path"]) == (expected, f"{expected}/app/ws")
    assert found["raw_path"] == f"{expected}/app/ws".encode()
    assert "root_path" not in NOBODY.effective(dict(scope))
    assert "root_path" not in OURS.effective({**scope, "client": ("198.51.100.9", 1)})


@pytest.mark.parametrize(("root", "path", "raw", "full"), [
    ("/apps", "/apps/a", b"/apps/a", "/out/apps/a"),
    ("/apps/", "/apps/a", b"/apps/a", "/out/apps/a"),
    ("/apps", "/a", b"/a", "/out/apps/a"),  # a server that leaves the mount out of the path
    ("/apps", "/out/a", b"/out/a", "/out/apps/out/a"),
    ("/out", "/out/out", b"/out/out", "/out/out/out"),
    ("/m \xe4", "/m \xe4/a", b"/m%20%c3%a4/a", "/out/m \xe4/a"),
])
def test_a_prefix_stands_before_a_mount(root: str, path: str, raw: bytes, full: str) -> None:
    scope = scope_of(x_forwarded_prefix="/out") | {"root_path": root, "path": path, "raw_path": raw}
    found = OURS.effective(scope)
    assert (found["root_path"], found["path"]) == ("/out" + root.rstrip("/"), full)
    assert unquote(found["raw_path"].decode()) == full


def test_an_unfit_prefix_is_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    proxies = Proxies(is_active=True)
    for _ in range(3):
        proxies.effective(scope_of(x_forwarded_prefix="//evil\n" + "x" * 4000))
    [record] = caplog.records
    assert "X-Forwarded-Prefix" in record.getMessage()
    assert len(record.getMessage()) < 500
    assert "\n" not in record.getMessage()


HEADERS = ["x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-forwarded-prefix"]


@given(st.lists(st.tuples(st.sampled_from(HEADERS), st.binary(max_size=30) | st.just(b"for=1.2.3.4;proto=https,for="))))
def test_any_bytes_can_be_read(pairs: list[tuple[str, bytes]]) -> None:
    scope = scope_of()
    scope["headers"] = [(name.encode(), value) for name, value in pairs]
    found = OURS.effective(scope)
    assert found["scheme"] in ("http", "https")
    assert client_is_known(found) == (found["client"][1] == 0)


SAID = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example"}


async def test_the_front_sees_the_visitor(make_site: MakeSite) -> None:
    site = make_site("/a", use_xheaders=True)
    assert (await site.get("/a", headers=SAID)).status_code == 200
    request = site.host.open_requests[-1].request
    assert (request.remote_ip, request.client_known, request.protocol, request.host) == (
        "198.51.100.1", True, "https", "public.example")
    assert request.headers["X-Forwarded-For"] == "198.51.100.1"

    token = mint("s", now_s=time.time(), lifetime_s=300, payload={})
    peer = site.connect("/a/ws", protocols=["bokeh", token], headers={**SAID, "Origin": "https://public.example"})
    assert (await peer.hear())["type"] == "websocket.accept"
    peer.leave()
    await peer.ended()


async def test_without_the_flag_it_sees_the_proxy(make_site: MakeSite) -> None:
    site = make_site("/a")
    assert (await site.get("/a", headers=SAID)).status_code == 200
    request = site.host.open_requests[-1].request
    assert (request.remote_ip, request.client_known, request.protocol, request.host) == (
        "127.0.0.1", False, "http", "testserver")


@pytest.mark.parametrize("prefix", ["", "p"])
@pytest.mark.parametrize("app", ["/a", "/out", "/out/a", "/"])
async def test_apps_are_found_behind_a_prefix_whatever_they_are_called(make_site: MakeSite, app: str,
                                                                       prefix: str) -> None:
    site = make_site(app, "/b", use_xheaders=True, prefix=prefix)
    headers = {"X-Forwarded-Prefix": "/out", "X-Forwarded-For": "198.51.100.1"}
    path = f"/{prefix}{app}" if prefix else app
    assert (await site.get(f"{path}?x=1", headers=headers)).status_code == 200
    open_request = site.host.open_requests[-1]
    assert (open_request.app, open_request.request.root_path, open_request.request.path) == (app, "/out", f"/out{path}")
    assert (await site.get("/out/nowhere", headers=headers)).status_code == 404


async def test_what_begins_at_the_root_begins_with_the_prefix(make_site: MakeSite) -> None:
    site = make_site("/a", "/b", use_xheaders=True, prefix="p")
    said = {"X-Forwarded-Prefix": "/out", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "h.example"}
    assert (await site.get("/p/a", headers=said)).status_code == 200
    request = site.host.open_requests[-1].request
    assert (request.root_path, request.path) == ("/out", "/out/p/a")
    assert (request.protocol, request.host) == ("https", "h.example")


def test_where_a_provider_sends_users_back_to() -> None:
    scope = scope_of(x_forwarded_prefix="/out", x_forwarded_proto="https", x_forwarded_host="h.example")
    found = OURS.effective({**scope, "path": "/login", "raw_path": b"/login", "query_string": b"next=a"})
    assert url_beside(HTTPConnection(found), "login-callback") == "https://h.example/out/login-callback"
    assert uri_of(found) == "/out/login?next=a"
    assert base_of(found, "") + "/logout" == "/out/logout"


async def test_a_visitor_s_own_prefix_leads_nowhere(make_site: MakeSite) -> None:
    site = make_site("/a", "/b", use_xheaders=True, auth="header", auth_header_user="X-User")
    for forged in ("/a", "/..", "//evil.example", "/\\evil.example", "/b"):
        answer = await site.get("/a", headers={"X-Forwarded-Prefix": forged})
        assert answer.status_code == 401
        assert "evil" not in answer.text + str(answer.headers)


async def test_the_way_to_the_only_app_is_known_where_the_prefix_is(make_site: MakeSite) -> None:
    # The browser may be at /out or at /out/: of both, proxies ask for /.
    site = make_site("/a", use_xheaders=True)
    answer = await site.get("/", headers={"X-Forwarded-Prefix": "/out"})
    assert answer.headers["location"] == "/out/a"
    assert (await site.get("/")).headers["location"] == "./a"
