"""Who may open a websocket."""

from __future__ import annotations

import pytest
from tests.support.front_site import MakeSite

from hotshoe.web.gate.origins import allowed, host_of, pattern_of, same_origin, same_origin_socket


@pytest.mark.parametrize(("origin", "host"), [
    ("http://localhost:5006", "localhost:5006"),
    ("http://127.0.0.1:5006", "127.0.0.1:5006"),
    ("http://Example.com", "example.COM"),
    ("http://example.com", "example.com:80"),
    ("https://example.com", "example.com"),
    ("https://example.com", "example.com:443"),
    ("https://example.com:443", "example.com"),
    ("http://[::1]:5006", "[::1]:5006"),
])
def test_same(origin: str, host: str) -> None:
    assert same_origin(origin, host)


@pytest.mark.parametrize(("origin", "host"), [
    ("http://localhost:5006", "localhost:5007"),
    ("http://evil.com", "example.com"),
    ("http://example.com.evil.com", "example.com"),
    ("http://evil.com:80@example.com:81", "example.com"),
    ("https://example.com", "example.com:80"),
    ("null", "example.com"),
    ("", ""),
    ("file://", "example.com"),
    ("http://[::1", "[::1"),
    ("http://h:99999", "h:99999"),
    ("http://h:x", "h:x"),
    ("http://example.com", None),
    ("chrome-extension://example.com", "example.com"),
])
def test_other(origin: str, host: str | None) -> None:
    assert not same_origin(origin, host)


def test_a_proxy_that_rewrites_the_host() -> None:
    def admitted(forwarded: str | None = None, site: str | None = None) -> bool:
        return same_origin_socket("https://example.com", host="app:5006", forwarded_host=forwarded, fetch_site=site)

    assert admitted(forwarded="example.com")
    assert admitted(forwarded="example.com, inner")
    assert admitted(site="same-origin")
    assert not admitted()
    assert not admitted(forwarded="other.com")
    assert not admitted(site="same-site")


@pytest.mark.parametrize(("origin", "pattern", "expected"), [
    ("http://example.com", "example.com:80", True),
    ("https://example.com", "example.com:80", True),
    ("http://example.com:8080", "example.com:80", False),
    ("http://example.com:8080", "example.com", True),
    ("http://example.com:8080", "example.com:*", True),
    ("http://a.example.com", "*.example.com", True),
    ("http://a.b.example.com", "*.example.com", False),
    ("http://192.168.0.7:5006", "192.168.*.*:5006", True),
    ("http://evil.com", "*", True),
    ("null", "*", True),
    ("null", "null", False),
    ("http://EXAMPLE.com", "Example.com", True),
    ("http://localhost:5006", "localhost:5007", False),
    ("http://[::1]:5006", "[::1]:5006", True),
    ("http://[::1", "h", False),
])
def test_allow_list(origin: str, pattern: str, expected: bool) -> None:
    assert allowed(origin, [pattern]) is expected


def test_nothing_is_allowed_by_an_empty_list() -> None:
    assert not allowed("http://example.com", [])


def test_an_entry_without_a_port_is_one_of_port_80() -> None:
    patterns = ["h", "h:81", "*", "[::1]", "*.h:*"]
    assert [pattern_of(pattern) for pattern in patterns] == ["h:80", "h:81", "*", "[::1]:80", "*.h:*"]


def test_host_of() -> None:
    assert host_of("https://Example.com:1") == "example.com:1"
    assert host_of("http://[::1") == ""


async def test_a_stranger_does_not_fill_the_log(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    site = make_site("/a", only_local=True)
    long = "x" * 50_000
    assert (await site.get("/a", headers={"Host": f"{long}.example"})).status_code == 403
    peer = site.connect("/a/ws", protocols=["bokeh", "t"], headers={"host": "localhost", "origin": f"http://{long}"})
    assert (await peer.hear())["status"] == 403
    assert len(caplog.messages) == 2
    assert max(map(len, caplog.messages)) < 2000
    await site.get("/a", headers={b"Host": b"\x9bevil"})
    assert caplog.messages[-1].isprintable()


async def test_the_page_can_ask_why_it_was_refused(make_site: MakeSite) -> None:
    site = make_site("/a")
    refused = (await site.get("/_hotshoe/refusal?origin=https://shop.example")).json()
    assert "--allow-websocket-origin=shop.example" in refused["refusal"]
    own = (await site.get("/_hotshoe/refusal?origin=http://testserver")).json()
    assert own == {"refusal": None}
    odd = (await site.get("/_hotshoe/refusal?origin=%00<script>")).json()
    assert odd["refusal"] is not None
