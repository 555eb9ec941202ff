from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.conftest import MakeSite

from hotshoe.config import Settings
from hotshoe.tokens import mint
from hotshoe.web.proxies import Proxies, came_by_proxy, client_is_known

OURS = Proxies(believes=True, networks=["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
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
    proxies = Proxies(believes=True)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            proxies.effective(scope_of("198.51.100.3", x_forwarded_for="1.1.1.1"))
            proxies.effective(scope_of(x_forwarded_for="1.1.1.1", x_real_ip="2.2.2.2"))
            proxies.effective(scope_of("198.51.100.4"))
        NOBODY.effective(scope_of("198.51.100.3", x_forwarded_for="1.1.1.1"))
    first, second = (record.getMessage() for record in caplog.records)
    assert "--trusted-proxies=198.51.100.3 would" in first
    assert "disagree" in second


@given(st.lists(st.tuples(st.sampled_from(["x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host"]),
                          st.binary(max_size=30))))
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
    request = site.host.wishes[-1].request
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
    request = site.host.wishes[-1].request
    assert (request.remote_ip, request.client_known, request.protocol, request.host) == (
        "127.0.0.1", False, "http", "testserver")
